// HTML from text. Every text of a report goes through `escape`, wherever it came from.

/** Markup that is safe to put into a page as it is. Only `html` and `raw` make it. */
export interface Markup {
  readonly markup: string;
}

/**
 * The text with everything that has a meaning in HTML, also in attributes, written out. A number
 * and its unit stay on one line.
 */
export function escape(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#39;")
    .replaceAll(/(\d) (?=(?:%|ms|µs|s|min|MB|GiB|times)(?!\w))/g, "$1&nbsp;");
}

/**
 * What may be put into a template: text and numbers are escaped, markup is not, lists are joined,
 * nothing is left out.
 */
export type Part = string | number | Markup | readonly Part[] | undefined;

/** A template of markup. What is put in is escaped unless it is markup itself. */
export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Markup {
  let markup = strings[0] ?? "";
  for (const [index, part] of parts.entries()) {
    markup += render(part) + (strings[index + 1] ?? "");
  }
  return { markup };
}

/** Markup that was made without a template: a style sheet. Never for what a report says. */
export function raw(markup: string): Markup {
  return { markup };
}

function render(part: Part): string {
  if (part === undefined) return "";
  if (typeof part === "string") return escape(part);
  if (typeof part === "number") return escape(String(part));
  if ("markup" in part) return part.markup;
  return part.map(render).join("");
}

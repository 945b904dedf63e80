// Breaking long comment lines, for scripts/tidy-wrap.ts.

import ts from "typescript";

const COLUMNS_MAX = 100;

/**
 * The text with comment lines of at most 100 columns, where words allow. Text outside of comments
 * stays as it is.
 */
export function wrapComments(text: string): string {
  const lines = text.split("\n");
  const inComment = commentLines(text);
  const out: string[] = [];
  for (let index = 0; index < lines.length; index++) {
    const line = lines[index] ?? "";
    if (line.length <= COLUMNS_MAX || !inComment.has(index)) {
      out.push(line);
      continue;
    }
    const single = /^(\s*)\/\*\*\s+(.*?)\s*\*\/$/.exec(line);
    if (single !== null) {
      const [, indent = "", body = ""] = single;
      out.push(`${indent}/**`, ...fill(`${indent} * `, body), `${indent} */`);
      continue;
    }
    const [prefix = ""] = /^\s*(?:\/\/|\*)\s*(?:- |\d+\. )?/.exec(line) ?? [];
    const [first = "", ...rest] = fill(prefix, line.slice(prefix.length));
    out.push(first);
    const carried = rest.map((part) => part.slice(prefix.length)).join(" ");
    const following = lines[index + 1] ?? "";
    const hanging = prefix.replace(/(- |\d+\. )$/, (mark) => " ".repeat(mark.length));
    if (carried === "") continue;
    if (continues(hanging, following) && inComment.has(index + 1)) {
      lines[index + 1] = `${hanging}${carried} ${following.slice(hanging.length)}`;
    } else {
      out.push(...fill(hanging, carried));
    }
  }
  return out.join("\n");
}

/** True when the line goes on with a paragraph that is written behind `prefix`. */
function continues(prefix: string, line: string): boolean {
  if (!line.startsWith(prefix)) return false;
  const rest = line.slice(prefix.length);
  // Two spaces between words: columns, as in a table.
  return rest !== "" && !/^(\s|\/|@|\||[-*] |\d+\. |```)|\S {2,}\S/.test(rest);
}

/** Words in as few lines as fit. A word that is too long gets a line of its own. */
function fill(prefix: string, body: string): string[] {
  const lines: string[] = [];
  let line = prefix;
  for (const word of body.split(" ")) {
    const longer = line === prefix ? prefix + word : `${line} ${word}`;
    if (longer.length > COLUMNS_MAX && line !== prefix) {
      lines.push(line);
      line = prefix + word;
    } else {
      line = longer;
    }
  }
  return [...lines, line];
}

/** The lines, from 0, that hold a comment and nothing else. */
function commentLines(text: string): Set<number> {
  const source = ts.createSourceFile("x.ts", text, ts.ScriptTarget.ES2023, true);
  const found = new Set<number>();
  const lineOf = (position: number): number => source.getLineAndCharacterOfPosition(position).line;
  const visit = (node: ts.Node): void => {
    for (const { pos, end } of ts.getLeadingCommentRanges(text, node.pos) ?? []) {
      const start = source.getPositionOfLineAndCharacter(lineOf(pos), 0);
      if (text.slice(start, pos).trim() !== "") continue;
      for (let line = lineOf(pos); line <= lineOf(end); line++) found.add(line);
    }
    for (const child of node.getChildren(source)) visit(child);
  };
  visit(source);
  return found;
}

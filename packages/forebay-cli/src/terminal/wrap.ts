// Text in lines that fit a terminal.

const COLUMNS = 80;

const UNBREAKABLE = "\u00a0";

/**
 * The text in lines of at most 80 columns, each beginning with `indent`. A number and its unit stay
 * on one line, and so does what a non-breaking space joins, which becomes a plain one.
 */
export function wrapText(text: string, indent = ""): string {
  const lines: string[] = [];
  let line = indent;
  const joined = text.replaceAll(/(\d) (?=(?:%|ms|µs|s|min)(?!\w))/g, `$1${UNBREAKABLE}`);
  for (const word of joined.split(" ")) {
    const isFirst = line.length === indent.length;
    if (!isFirst && line.length + 1 + word.length > COLUMNS) {
      lines.push(line);
      line = `${indent}${word}`;
    } else line += isFirst ? word : ` ${word}`;
  }
  return [...lines, line].join("\n").replaceAll(UNBREAKABLE, " ");
}

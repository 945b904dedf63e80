// Breaks text into lines, for terminals.

/**
 * The text in lines of at most `width` columns, broken at blanks; a longer word has a line of its
 * own. `first` stands before the first line, `rest` before the others.
 */
export function wrapped(text: string, width: number, first = "", rest: string = first): string {
  const rows: string[] = [];
  let row = first;
  let isEmpty = true;
  for (const word of text.split(" ")) {
    if (!isEmpty && row.length + 1 + word.length > width) {
      rows.push(row);
      row = rest;
      isEmpty = true;
    }
    row += isEmpty ? word : ` ${word}`;
    isEmpty = false;
  }
  return [...rows, row].join("\n");
}

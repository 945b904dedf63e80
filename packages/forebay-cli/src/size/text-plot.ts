// A plot over time in plain text: columns of blocks, the average of each stretch filled, the most
// of it hatched.

/** What is drawn. */
export interface TextPlot {
  readonly title: string;
  /** One entry for each stretch of time. */
  readonly columns: readonly { readonly mean: number; readonly most: number }[];
  /** The value at the top. */
  readonly top: number;
  readonly rows: number;
  /** What stands under the left and the right end. */
  readonly ends: readonly [string, string];
  /** Formats the values beside the axis. */
  readonly label: (value: number) => string;
}

const EIGHTHS = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"] as const;
const HATCHED = "░";
const AXIS_WIDTH = 6;

/** The plot as lines: a title, the rows from the top down, the axis, the ends. */
export function drawTextPlot(plot: TextPlot): string[] {
  const { title, columns, top, rows, ends, label } = plot;
  const lines = [title];
  for (let row = rows - 1; row >= 0; row--) {
    const cells = columns.map(({ mean, most }) =>
      cellOf((mean / top) * rows - row, (most / top) * rows - row),
    );
    // At the top of the first row, in its middle, and nothing beside the others.
    const value = row === rows - 1 ? top : row === Math.floor(rows / 2) - 1 ? top / 2 : undefined;
    const beside = value === undefined ? "" : label(value);
    lines.push(`${beside.padStart(AXIS_WIDTH)} ┤${cells.join("")}`.trimEnd());
  }
  lines.push(`${"0".padStart(AXIS_WIDTH)} └${"─".repeat(columns.length)}`);
  const [left, right] = ends;
  const gap = Math.max(1, columns.length - left.length - right.length);
  lines.push(`${" ".repeat(AXIS_WIDTH + 2)}${left}${" ".repeat(gap)}${right}`);
  return lines;
}

/** `mean` and `most` as heights above the bottom of the cell, whose own height is 1. */
function cellOf(mean: number, most: number): string {
  const eighths = Math.round(Math.min(1, Math.max(0, mean)) * 8);
  if (eighths > 0) return EIGHTHS[eighths] ?? " ";
  // Half a cell or more of it: what shows above the average is a peak, not a rounding.
  return most >= 0.5 ? HATCHED : " ";
}

/** Puts `items` together into at most `count` groups of the same length, but for the last. */
export function grouped<T>(items: readonly T[], count: number): (readonly T[])[] {
  const size = Math.max(1, Math.ceil(items.length / count));
  const groups: (readonly T[])[] = [];
  for (let at = 0; at < items.length; at += size) groups.push(items.slice(at, at + size));
  return groups;
}

// The findings for people: one table a benchmark.

import type { Finding, Target, Unit } from "./bench.ts";
import type { Spread } from "./spread.ts";

const HEADINGS = ["", "ours", "other", "ratio", "spread", "target", ""];

/** The table of one benchmark, as lines. */
export function tableOf(findings: readonly Finding[]): string {
  const rows = [HEADINGS, ...findings.map(cellsOf)];
  const widths = HEADINGS.map((_, column) => Math.max(...rows.map((row) => widthOf(row[column]))));
  return rows
    .map((row) =>
      row
        .map((cell, column) => {
          const width = widths[column] ?? 0;
          const isLeft = column === 0 || column === row.length - 1;
          return isLeft ? cell.padEnd(width) : cell.padStart(width);
        })
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** A target as text: `<= 0.5`. */
export function targetText({ op, limit }: Target): string {
  return `${op} ${limit}`;
}

function widthOf(cell: string | undefined): number {
  return cell?.length ?? 0;
}

function cellsOf(finding: Finding): string[] {
  const { what, unit, ours, oursFigure, other, otherFigure, ratio, target, isMet } = finding;
  if (other !== undefined && finding.leftOut !== undefined) return leftOutCells(finding, other);
  const spread = ratio ?? oursFigure;
  const inUnit = ratio === undefined ? unit : undefined;
  return [
    what,
    `${ours} ${figureText(oursFigure.median, unit)}`,
    other === undefined || otherFigure === undefined
      ? ""
      : `${other} ${figureText(otherFigure.median, unit)}`,
    ratio === undefined ? "" : ratio.median.toFixed(2),
    spreadText(spread, inUnit),
    target === undefined ? "" : `${targetText(target)}${inUnit === undefined ? "" : ` ${unit}`}`,
    isMet === undefined ? "" : isMet ? "met" : "MISSED",
  ];
}

function leftOutCells(
  { what, unit, ours, oursFigure, target, leftOut = "" }: Finding,
  other: string,
): string[] {
  const own = `${ours} ${figureText(oursFigure.median, unit)}`;
  const aim = target === undefined ? "" : targetText(target);
  return [what, own, other, "", "", aim, `left out: ${leftOut}`];
}

function spreadText({ low, high }: Spread, unit: Unit | undefined): string {
  if (unit === undefined) return `${low.toFixed(2)}..${high.toFixed(2)}`;
  return `${numberText(low)}..${numberText(high)}`;
}

function figureText(value: number, unit: Unit): string {
  return `${numberText(value)} ${unit}`;
}

function numberText(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 100) return String(value);
  return value >= 100 ? value.toFixed(0) : value.toFixed(1);
}

// What `forebay bench` says: plain text.

import { duration, figure, percent } from "../lab/words.ts";
import { wrapText } from "../terminal/wrap.ts";
import type { ArmFigures } from "./figures.ts";
import { type BenchReport, loadName } from "./run.ts";

/** The interactive law must hold this well, or the harness lost time. */
export const LAW_ERROR_MOST = 0.05;

/** The text, ending with a line break. */
export function printBench(report: BenchReport): string {
  const { arms, plan } = report;
  if (arms.length === 0) return "Nothing was measured.\n";
  const parts = [
    about(report),
    table(LATENCY, arms),
    table(COSTS, arms),
    ...verdicts(arms),
    lawLine(arms),
    ...othersLine(arms),
    ...(plan.isDefaultQuery ? [wrapText(ABOUT_DEFAULT)] : []),
    ...(report.isPartial ? ["Stopped before the end: this is what was measured until then."] : []),
  ];
  return `${parts.join("\n\n")}\n`;
}

const ABOUT_DEFAULT =
  "SELECT 1 measures the client and the way to the server, and nothing of yours: give --query.";

function about({ plan, server, serverVersion, aloneMs }: BenchReport): string {
  const where = server.description.includes(serverVersion)
    ? server.description
    : `PostgreSQL ${serverVersion}, ${server.description}`;
  return wrapText(
    `${shortened(plan.query)} on ${where}; at most ${figure(plan.maxOpenConns)} connections, ` +
      `${duration(plan.durationMs)} for each load. One caller alone: ${duration(aloneMs)}.`,
  );
}

function shortened(query: string): string {
  const line = query.replaceAll(/\s+/g, " ");
  return line.length <= 60 ? line : `${line.slice(0, 59)}…`;
}

interface Column {
  readonly head: string;
  readonly width: number;
  readonly cell: (arm: ArmFigures) => string;
}

const LOAD_WIDTH = 23;
const UNKNOWN = "–";

function known(value: number | undefined, format: (value: number) => string): string {
  return value === undefined ? UNKNOWN : format(value);
}

const LATENCY: readonly Column[] = [
  { head: "ops/s", width: 9, cell: (arm) => figure(arm.opsPerS) },
  { head: "mean", width: 11, cell: (arm) => duration(arm.meanMs) },
  { head: "p50", width: 11, cell: (arm) => duration(arm.p50Ms) },
  { head: "p99", width: 11, cell: (arm) => duration(arm.p99Ms) },
  { head: "p99.9", width: 11, cell: (arm) => duration(arm.p999Ms) },
];

const COSTS: readonly Column[] = [
  { head: "waits/op", width: 9, cell: (arm) => known(arm.waitsPerOp, shareOf) },
  { head: "wait/op", width: 10, cell: (arm) => known(arm.waitMsPerOp, duration) },
  {
    head: "loop",
    width: 6,
    cell: (arm) => percent(Math.round(arm.loopUtilisationRatio * 100) / 100),
  },
  { head: "client CPU", width: 11, cell: (arm) => duration(arm.clientCpuMsPerOp) },
  { head: "server CPU", width: 11, cell: (arm) => known(arm.serverCpuMsPerOp, duration) },
  { head: "busy", width: 7, cell: (arm) => known(arm.serverCpuRatio, wholePercent) },
];

function shareOf(value: number): string {
  return value === 0 ? "0" : value.toFixed(value < 0.01 ? 4 : 2);
}

function wholePercent(ratio: number): string {
  return percent(Math.round(ratio * 100) / 100);
}

function table(columns: readonly Column[], arms: readonly ArmFigures[]): string {
  const head = columns.map(({ head: text, width }) => text.padStart(width)).join("");
  const rows = arms.map((arm) => {
    const cells = columns.map(({ width, cell }) => cell(arm).padStart(width)).join("");
    return `${armName(arm).padEnd(LOAD_WIDTH)}${cells}`;
  });
  return [`${"".padEnd(LOAD_WIDTH)}${head}`.trimEnd(), ...rows].join("\n");
}

function armName(arm: ArmFigures): string {
  const name = arm.client === "forebay" ? "" : `${arm.client}, `;
  return `${name}${loadName(arm.load)}${arm.isPartial ? " (partial)" : ""}`;
}

function lawLine(arms: readonly ArmFigures[]): string {
  const errors = arms.map((arm) => arm.lawErrorRatio).filter((error) => error !== undefined);
  if (errors.length === 0) return "No closed load was measured, to check the harness by.";
  const worst = Math.max(...errors);
  const mark = worst <= LAW_ERROR_MOST ? "✓" : "✗ the harness lost time: trust none of this";
  return wrapText(
    `Self-check: response R against callers N by throughput X, |R − N/X| / R at most ` +
      `${percent(worst)}, of ${percent(LAW_ERROR_MOST)} allowed ${mark}`,
  );
}

/** For each bound the loads that have it, and why, of the last of them. */
function verdicts(arms: readonly ArmFigures[]): string[] {
  const judged = arms.filter((arm) => arm.verdict !== undefined);
  const bounds = [...new Set(judged.map((arm) => arm.verdict?.bound))];
  return bounds.map((bound) => {
    const all = judged.filter((arm) => arm.verdict?.bound === bound);
    const last = all.at(-1);
    const at = all.length === 1 || last === undefined ? "" : `At ${loadName(last.load)}: `;
    const names = all.map(armName).join("; ");
    const because = last?.verdict?.because ?? "";
    return wrapText(`${bound}: ${names}. ${at}${because}${unfinishedText(all)}`);
  });
}

function unfinishedText(arms: readonly ArmFigures[]): string {
  const cut = arms.filter((arm) => arm.unfinished > 0 && !arm.isPartial);
  return cut
    .map(
      (arm) =>
        ` At ${loadName(arm.load)}, ${figure(arm.unfinished)} requests had no answer when the ` +
        "load was cut off: it is more than can be served.",
    )
    .join("");
}

/** Other programs that take more of the machine than this move every figure. */
const OTHERS_MOST = 0.1;

function othersLine(arms: readonly ArmFigures[]): string[] {
  const most = Math.max(0, ...arms.map((arm) => arm.othersCpuRatio ?? 0));
  if (most <= OTHERS_MOST) return [];
  return [
    wrapText(
      `Other programs took up to ${wholePercent(most)} of this machine's CPU time: the figures ` +
        "are of a busy machine.",
    ),
  ];
}

// The report for a terminal: a table of verdicts, and under it the checks. Plain text, so that it
// can be piped.

import Table from "cli-table3";
import type { Check, CheckVerdict, ClaimVerdict, LabReport, ScenarioReport } from "../lab/index.ts";
import { duration, figure } from "../lab/words.ts";

const MARKS: Readonly<Record<CheckVerdict | ClaimVerdict, string>> = {
  pass: "✓ pass",
  fail: "✗ fail",
  holds: "✓ holds",
  refuted: "≠ refuted",
  inconclusive: "? inconclusive",
};

const COLUMNS_MIN = 60;
const COLUMNS_MAX = 120;

/** The report as text of at most `columns` columns, between 60 and 120. Ends with a line break. */
export function renderTerminal(report: LabReport, columns: number): string {
  const width = Math.min(Math.max(columns, COLUMNS_MIN), COLUMNS_MAX);
  const lines = [summary(report, width), ...report.scenarios.map((one) => checks(one, width))];
  const { calibration } = report;
  const measured =
    calibration === undefined
      ? ""
      : ` A query takes ${duration(calibration.queryP50Ms)}, a new connection ` +
        `${duration(calibration.connectP50Ms)}.`;
  const partial = report.partial
    ? " Stopped before the end: what is unfinished was not judged."
    : "";
  const quick = report.isQuick ? "quick run of " : "";
  const about = `${report.server.description}; ${quick}${duration(report.durationMs)}.`;
  lines.push(wrapped(`${about}${measured}${partial}`, width));
  return `${lines.join("\n\n")}\n`;
}

function summary(report: LabReport, width: number): string {
  const widths = [4, 16, 16];
  const table = makeTable(["", "the guide's claim", "Forebay", "measured"], widths, width);
  for (const scenario of report.scenarios) {
    table.push([
      String(scenario.id),
      MARKS[scenario.claim.verdict],
      MARKS[scenario.forebay.verdict],
      `${scenario.title}: ${scenario.headline}`,
    ]);
  }
  return table.toString();
}

function checks(scenario: ScenarioReport, width: number): string {
  const title = `Scenario ${scenario.id}: ${scenario.title}`;
  if (scenario.forebay.checks.length === 0)
    return `${title}\n${wrapped(scenario.forebay.why, width)}`;
  const table = makeTable(["Forebay", "value", "threshold", "check"], [16, 22, 14], width);
  for (const check of scenario.forebay.checks) {
    table.push([MARKS[check.verdict], valueOf(check), check.threshold, check.name]);
  }
  const { warnings } = scenario.conditions;
  const warned =
    warnings.length === 0
      ? ""
      : `\n${wrapped(`Close comparisons are left undecided: ${warnings.join(" Also, ")}`, width)}`;
  return `${title}\n${table.toString()}${warned}`;
}

function wrapped(text: string, width: number): string {
  const rows: string[] = [];
  let row = "";
  for (const word of text.split(" ")) {
    if (row !== "" && row.length + 1 + word.length > width) {
      rows.push(row);
      row = word;
    } else row = row === "" ? word : `${row} ${word}`;
  }
  return [...rows, row].join("\n");
}

function valueOf(check: Check): string {
  if (check.low === undefined || check.high === undefined) return figure(check.value);
  return `${figure(check.value)} (${figure(check.low)} to ${figure(check.high)})`;
}

function makeTable(head: string[], widths: readonly number[], width: number): Table.Table {
  const last = width - widths.reduce((all, one) => all + one, 0) - head.length - 1;
  return new Table({
    head,
    colWidths: [...widths, last],
    wordWrap: true,
    style: { head: [], border: [], compact: true },
  });
}

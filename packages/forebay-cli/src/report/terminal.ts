// The report for a terminal: a table of verdicts, under it the checks, and at the end the counts.
// Plain text, so that it can be piped.

import Table from "cli-table3";
import {
  type Check,
  type LabReport,
  outcomeOf,
  type ScenarioReport,
  tallyText,
} from "../lab/index.ts";
import { duration, figure } from "../lab/words.ts";
import { howToInstall, VERDICT_WORDS, verdictsOf } from "./verdicts.ts";
import { wrapped } from "./wrap.ts";

const COLUMNS_MIN = 60;
const COLUMNS_MAX = 120;

/** The report as text of at most `columns` columns, between 60 and 120. Ends with a line break. */
export function renderTerminal(report: LabReport, columns: number): string {
  const width = Math.min(Math.max(columns, COLUMNS_MIN), COLUMNS_MAX);
  const parts = [summary(report, width), ...report.scenarios.map((one) => checks(one, width))];
  const { calibration } = report;
  const measured =
    calibration === undefined
      ? ""
      : ` A query takes ${duration(calibration.queryP50Ms)}, a new connection ` +
        `${duration(calibration.connectP50Ms)}.`;
  const quick = report.isQuick ? "quick run of " : "";
  const about = `${report.server.description}; ${quick}${duration(report.durationMs)}.`;
  parts.push(wrapped(`${about}${measured}`, width));
  if (report.query !== undefined) parts.push(`With the statement:\n${report.query}`);
  const partial = report.partial ? "Stopped before the end. " : "";
  parts.push(wrapped(`${partial}${tallyText(report.summary)}`, width));
  return `${parts.join("\n\n")}\n`;
}

function summary(report: LabReport, width: number): string {
  const widths = [4, 16, 16];
  const table = makeTable(["", "the claim", "Forebay", "measured"], widths, width);
  for (const scenario of report.scenarios) {
    const [claim, forebay] = verdictsOf(scenario);
    table.push([
      String(scenario.id),
      VERDICT_WORDS[claim],
      VERDICT_WORDS[forebay],
      `${scenario.title}: ${scenario.headline}`,
    ]);
  }
  return table.toString();
}

function checks(scenario: ScenarioReport, width: number): string {
  const title = `Scenario ${scenario.id}: ${scenario.title}`;
  if (outcomeOf(scenario) !== "judged") {
    const said = [`${VERDICT_WORDS[verdictsOf(scenario)[1]]}: ${scenario.headline}`];
    const install = howToInstall(scenario);
    if (install !== "") said.push(install);
    return [title, ...said.map((text) => wrapped(text, width))].join("\n");
  }
  if (scenario.forebay.checks.length === 0)
    return `${title}\n${wrapped(scenario.forebay.why, width)}`;
  const table = makeTable(["Forebay", "value", "threshold", "check"], [16, 22, 14], width);
  for (const check of scenario.forebay.checks) {
    table.push([VERDICT_WORDS[check.verdict], valueOf(check), check.threshold, check.name]);
  }
  const { warnings } = scenario.conditions;
  const warned =
    warnings.length === 0
      ? ""
      : `\n${wrapped(`Close comparisons are left undecided: ${warnings.join(" Also, ")}`, width)}`;
  return `${title}\n${table.toString()}${warned}`;
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

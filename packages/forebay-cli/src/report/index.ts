// Stands in until the reports are here.

import { writeFileSync } from "node:fs";
import type { LabReport } from "../lab/index.ts";

/** Prints the report. */
export function printTable(report: LabReport): void {
  process.stdout.write(`${report.scenarios.length} scenarios\n`);
}

/** Writes the report. */
export function writeJson(report: LabReport, file: string): void {
  writeFileSync(file, JSON.stringify(report));
}

/** Writes the report. */
export function writeHtml(report: LabReport, file: string): void {
  writeFileSync(file, `<pre>${JSON.stringify(report)}</pre>`);
}

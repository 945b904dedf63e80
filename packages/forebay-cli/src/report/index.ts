// The ways to hand over a report: as a page, as JSON, as a table, as JUnit's XML.

import { writeFile } from "node:fs/promises";
import type { LabReport } from "../lab/index.ts";
import { renderHtml } from "./html.ts";
import { renderJunit } from "./junit.ts";
import { renderTerminal } from "./terminal.ts";

/**
 * Writes the report as one page that needs nothing else. Replaces the file. Rejects as node:fs
 * does.
 */
export async function writeHtml(report: LabReport, file: string): Promise<void> {
  await writeFile(file, renderHtml(report));
}

/**
 * Writes the report as JSON. Replaces the file. Rejects as node:fs does. Numbers that are none
 * become null.
 */
export async function writeJson(report: LabReport, file: string): Promise<void> {
  await writeFile(file, `${JSON.stringify(report, undefined, 2)}\n`);
}

/** Writes the report as JUnit's XML. Replaces the file. Rejects as node:fs does. */
export async function writeJunit(report: LabReport, file: string): Promise<void> {
  await writeFile(file, renderJunit(report));
}

/**
 * The report as text for a terminal of so many columns. @defaultValue `columns`: those of standard
 * output, else 100
 */
export function printTable(
  report: LabReport,
  columns: number = process.stdout.columns ?? 100,
): string {
  return renderTerminal(report, columns);
}

// The option `--json [file]`: to standard output, and nothing else there, or to a file that is
// checked before the work begins.

import { writeFile } from "node:fs/promises";
import { checkReportFiles, type ReportFile, writeReportFiles } from "./report-files.ts";

/** Where the JSON goes. */
export interface JsonTarget {
  readonly target: "stdout" | ReportFile;
  /** Removes the empty file that the check has made, where nothing was written. */
  removeEmpty(): void;
}

/**
 * Checks that the JSON can be written; undefined where none is asked for. `-` is standard output.
 */
export function prepareJson(option: string | true | undefined): JsonTarget | undefined {
  if (option === undefined) return undefined;
  if (option === true || option === "-") return { target: "stdout", removeEmpty: () => undefined };
  const file = { file: option, option: "--json" } as const;
  return { target: file, removeEmpty: checkReportFiles([file]) };
}

/** Writes the value. Numbers that are none, or infinite, become null. */
export async function outputJson(json: JsonTarget | undefined, value: unknown): Promise<void> {
  if (json === undefined) return;
  const text = `${JSON.stringify(value, undefined, 2)}\n`;
  if (json.target === "stdout") process.stdout.write(text);
  else await writeReportFiles([json.target], (file) => writeFile(file, text));
}

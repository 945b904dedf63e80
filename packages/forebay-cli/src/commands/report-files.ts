// The files that a report goes to: checked before a long run, and written after it.

import * as fs from "node:fs";
import { CliError } from "../errors.ts";

/** The options that name a file. */
export type ReportOption = "--json" | "--html" | "--junit";

/** A file that the user named, and what writes it. */
export interface ReportFile {
  readonly file: string;
  /** The option that named it, for messages. */
  readonly option: ReportOption;
}

/**
 * Makes sure that every file can be written, without changing one that exists. Throws a `CliError`
 * with code `REPORT_NOT_WRITABLE` otherwise. A full disk shows only when the report is written.
 *
 * Gives a function that removes the empty files that the check has made, for a run that ends
 * without a report.
 */
export function checkReportFiles(files: readonly ReportFile[]): () => void {
  const made: string[] = [];
  const removeMade = (): void => {
    for (const file of made) {
      if (fs.statSync(file, { throwIfNoEntry: false })?.size === 0) fs.rmSync(file);
    }
  };
  for (const { file, option } of files) {
    try {
      const isNew = !fs.existsSync(file);
      fs.closeSync(fs.openSync(file, "a"));
      if (isNew) made.push(file);
    } catch (error) {
      removeMade();
      throw notWritable(file, option, error);
    }
  }
  return removeMade;
}

/**
 * Calls `write` for each file, also for those after one that fails. Then rejects, if any failed,
 * with a `CliError` of code `REPORT_NOT_WRITABLE` that names the first.
 */
export async function writeReportFiles(
  files: readonly ReportFile[],
  write: (file: string, option: ReportOption) => Promise<void> | void,
): Promise<void> {
  const failures: CliError[] = [];
  for (const { file, option } of files) {
    try {
      await write(file, option);
    } catch (error) {
      failures.push(notWritable(file, option, error));
    }
  }
  if (failures[0] !== undefined) throw failures[0];
}

function notWritable(file: string, option: string, error: unknown): CliError {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  if (code === undefined) throw error;
  return new CliError(
    "REPORT_NOT_WRITABLE",
    `cannot write ${file}: ${code}`,
    `Give ${option} a file in a directory that exists, may be written, and has space left.`,
    { cause: error },
  );
}

// What a user has chosen for a run, checked before anything is started.

import { CliError } from "../errors.ts";
import { checkQueryText, type ListedScenario, listScenarios, QueryRefused } from "../lab/index.ts";
import type { ReportFile } from "./report-files.ts";

/** The options of `lab run` that are checked here. */
export interface RunInput {
  readonly all?: true;
  readonly query?: string;
  readonly json?: string;
  readonly html?: string;
  readonly junit?: string;
}

/** The error for a number that is no scenario's. */
export function unknownScenario(text: string): CliError {
  const nextStep = "See `forebay lab list`.";
  return new CliError("SCENARIO_UNKNOWN", `there is no scenario ${text}`, nextStep);
}

/** The error for a statement that the lab does not take. */
export function queryRefused(refused: QueryRefused): CliError {
  return new CliError(
    "QUERY_REFUSED",
    `cannot use the statement of --query: ${refused.message}`,
    "Give a single SELECT without parameters that only reads, and takes some milliseconds.",
    { cause: refused },
  );
}

/**
 * The numbers of the scenarios to run: those that were given, each once, or all, of those that take
 * a statement where there is one. Throws a `CliError` of code `SCENARIO_UNKNOWN`, `USAGE` or
 * `QUERY_REFUSED`.
 */
export function chosenScenarios(given: readonly string[], { all, query }: RunInput): number[] {
  const listed = listScenarios();
  const ids = [...new Set(given.map((text) => idOf(text, listed)))];
  if (all === true && ids.length > 0) {
    throw new CliError("USAGE", "--all and numbers of scenarios do not go together", "Give one.");
  }
  if (query === undefined) return ids.length > 0 ? ids : listed.map(({ id }) => id);
  checkText(query);
  const takers = listed.filter(({ takesQuery }) => takesQuery).map(({ id }) => id);
  const refused = ids.find((id) => !takers.includes(id));
  if (refused !== undefined) {
    const what = `scenario ${refused} cannot run a statement of yours`;
    throw new CliError("USAGE", what, `These can: ${takers.join(", ")}.`);
  }
  return ids.length > 0 ? ids : takers;
}

function idOf(text: string, listed: readonly ListedScenario[]): number {
  const id = Number(text);
  if (!/^\d+$/.test(text) || !listed.some((scenario) => scenario.id === id)) {
    throw unknownScenario(text);
  }
  return id;
}

function checkText(query: string): void {
  try {
    checkQueryText(query);
  } catch (error) {
    throw error instanceof QueryRefused ? queryRefused(error) : error;
  }
}

/**
 * The files that the options name. Throws a `CliError` of code `USAGE` where one is named twice.
 */
export function chosenFiles({ json, html, junit }: RunInput): ReportFile[] {
  const files: ReportFile[] = [];
  const add = (file: string | undefined, option: ReportFile["option"]): void => {
    if (file === undefined) return;
    const other = files.find((one) => one.file === file);
    if (other !== undefined) {
      const what = `${other.option} and ${option} name the same file`;
      throw new CliError("USAGE", what, "Give each a file of its own.");
    }
    files.push({ file, option });
  };
  add(json === "-" ? undefined : json, "--json");
  add(html, "--html");
  add(junit, "--junit");
  return files;
}

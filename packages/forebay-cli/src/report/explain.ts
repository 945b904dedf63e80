// An explanation for reading in a terminal: plain text, so that it can be piped.

import type { Explanation } from "../lab/explain/explanation.ts";
import { wrapped } from "./wrap.ts";

const COLUMNS_MIN = 40;
/** Longer lines are hard to read. */
const COLUMNS_MAX = 92;

/**
 * The explanation as text of at most `columns` columns, from 40 to 92. Ends with a line break.
 * `isRunnable` says whether the scenario is here to be run.
 */
export function renderExplanation(
  explanation: Explanation,
  columns: number,
  isRunnable: boolean,
): string {
  const width = Math.min(Math.max(columns, COLUMNS_MIN), COLUMNS_MAX);
  const { id, title, guide, why, formula, settings, names, caveats } = explanation;
  const heading = `${id}. ${title}`;
  const sections = [
    `${wrapped(heading, width)}\n${"=".repeat(Math.min(width, heading.length))}`,
    ...(guide === undefined ? [] : [section("What the guide says", paragraphs(guide, width))]),
    section("Why", paragraphs(why, width)),
    section("The formula", formula.map((line) => wrapped(line, width, "  ", "    ")).join("\n")),
    section("What to set in Forebay", indented(settings)),
    section("The same elsewhere", namesOf(names, width)),
    section("When not to, and what to look out for", items(caveats, width)),
    ...(isRunnable ? [wrapped(`To measure it: forebay lab run ${id}`, width)] : []),
  ];
  return `${sections.join("\n\n")}\n`;
}

function section(title: string, body: string): string {
  return `${title}\n${"-".repeat(title.length)}\n${body}`;
}

function paragraphs(texts: readonly string[], width: number): string {
  return texts.map((text) => wrapped(text, width)).join("\n\n");
}

function items(texts: readonly string[], width: number): string {
  return texts.map((text) => wrapped(text, width, "- ", "  ")).join("\n");
}

/** Code is for copying: it is never broken. */
function indented(code: string): string {
  return code
    .split("\n")
    .map((line) => (line === "" ? "" : `  ${line}`))
    .join("\n");
}

function namesOf({ go, pg, hikari }: Explanation["names"], width: number): string {
  const rows = [
    ["Go database/sql, pgx", go],
    ["pg (Node)", pg],
    ["HikariCP", hikari],
  ] as const;
  return rows.map(([name, text]) => wrapped(`${name}: ${text}`, width, "- ", "  ")).join("\n");
}

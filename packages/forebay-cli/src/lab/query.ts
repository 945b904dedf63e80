// A statement of the user's own, in place of a scenario's: what is taken, and what is refused
// before anything runs it in earnest.

import { median } from "./compare.ts";
import type { LabDb } from "./pools.ts";
import { type ScenarioContext, ScenarioNotPossible } from "./scenario.ts";
import { duration } from "./words.ts";

/** A statement that the lab does not take. The message says why, without a full stop. */
export class QueryRefused extends Error {
  constructor(message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.name = "QueryRefused";
  }
}

/**
 * Looks at the text alone: one query without parameters. Gives it without the semicolon at its end;
 * throws `QueryRefused` otherwise. Whether it only reads is for the server to say.
 */
export function checkQueryText(text: string): string {
  const { plain, ends } = withoutQuotes(text);
  const semicolon = plain.indexOf(";");
  if (semicolon >= 0 && plain.slice(semicolon + 1).trim() !== "") {
    throw new QueryRefused("it holds more than one statement");
  }
  const statement = (semicolon < 0 ? plain : plain.slice(0, semicolon)).trim();
  if (statement === "") throw new QueryRefused("it is empty");
  if (!ends) throw new QueryRefused("a quotation or a comment in it has no end");
  if (!/^\(*\s*(?:select|with)\b/i.test(statement)) {
    throw new QueryRefused("it does not begin with SELECT or WITH");
  }
  const parameter = /(?<![\w$])\$\d+/.exec(statement)?.[0];
  if (parameter !== undefined) {
    throw new QueryRefused(`it has a parameter, ${parameter}, for which there is no value`);
  }
  return (semicolon < 0 ? text : text.slice(0, semicolon)).trim();
}

/** What is no part of the statement itself: comments, strings, quoted names, dollar quotes. */
const QUOTED = new RegExp(
  [
    String.raw`--[^\n]*`,
    String.raw`(?<![\w$])[eE]'(?:[^'\\]|\\[^]|'')*'`,
    String.raw`'(?:[^']|'')*'`,
    String.raw`"(?:[^"]|"")*"`,
    String.raw`(\$(?:[A-Za-z_]\w*)?\$)[^]*?\1`,
    String.raw`/\*`,
    String.raw`['"]`,
  ].join("|"),
  "g",
);

/**
 * The text with blanks for all that is quoted, as long as before. `ends` is false where a quotation
 * has no end.
 */
function withoutQuotes(text: string): { readonly plain: string; readonly ends: boolean } {
  let plain = "";
  let at = 0;
  let ends = true;
  for (let found = next(text, at); found !== null; found = next(text, at)) {
    const isComment = found[0] === "/*";
    const end = isComment ? endOfComment(text, found.index) : found.index + found[0].length;
    const isOpen = end === undefined || /^['"]$/.test(found[0]);
    if (isOpen) ends = false;
    const until = isOpen ? text.length : end;
    plain += text.slice(at, found.index) + " ".repeat(until - found.index);
    at = until;
  }
  return { plain: plain + text.slice(at), ends };
}

function next(text: string, from: number): RegExpExecArray | null {
  QUOTED.lastIndex = from;
  return QUOTED.exec(text);
}

/** Comments of this kind may hold others. Undefined where it does not end. */
function endOfComment(text: string, from: number): number | undefined {
  let depth = 0;
  for (let at = from; at < text.length - 1; at++) {
    const two = text.slice(at, at + 2);
    if (two === "/*") depth++;
    else if (two === "*/") depth--;
    else continue;
    at++;
    if (depth === 0) return at + 1;
  }
  return undefined;
}

const MOST_ROWS = 1000;
const LONGEST_S = 5;

/**
 * Has the server look at it: it is prepared, and run once, in a transaction that may only read and
 * is rolled back. Rejects with `QueryRefused` where the server refuses, or it gives more rows or
 * takes longer than anything that is run thousands of times should.
 */
export async function checkQueryOnServer(db: LabDb, query: string): Promise<void> {
  const tx = await db.begin({ readOnly: true });
  try {
    await tx.exec(`SET LOCAL statement_timeout = '${LONGEST_S}s'`);
    await tx.exec(`PREPARE forebay_lab_query AS ${query}\n`);
    await tx.exec("DEALLOCATE forebay_lab_query");
    let rows = 0;
    for await (const _ of tx.rows(query)) {
      if (++rows > MOST_ROWS) throw new QueryRefused(`it gives more than ${MOST_ROWS} rows`);
    }
  } catch (error) {
    throw error instanceof QueryRefused ? error : refusalOf(error);
  } finally {
    await tx.rollback();
  }
}

/** A statement that is asked many times. */
export interface AskedStatement {
  readonly sql: string;
  /** For sentences. */
  readonly name: string;
  /** True for the user's, about which nothing was known beforehand. */
  readonly isGiven: boolean;
  /** How long it takes one caller. */
  readonly aloneMs: number;
}

/** More than this, and so many runs take too long. */
const ASKED_MOST_MS = 100;

/**
 * The user's statement; undefined where there is none. Rejects with `ScenarioNotPossible` where it
 * takes too long to be run thousands of times.
 */
export async function givenStatement(
  context: ScenarioContext,
): Promise<AskedStatement | undefined> {
  const { query } = context;
  if (query === undefined) return undefined;
  const aloneMs = await timeQuery(context, query);
  if (aloneMs > ASKED_MOST_MS) {
    throw new ScenarioNotPossible(
      `Your statement takes ${duration(aloneMs)}, and is to be run some ten thousand times; it ` +
        `may take ${duration(ASKED_MOST_MS)} at most.`,
    );
  }
  return { sql: query, name: "your statement", isGiven: true, aloneMs };
}

const SAMPLES = 15;

/** How long a statement takes one caller: the middle of a few. */
export async function timeQuery(
  { clock, pools, signal }: Pick<ScenarioContext, "clock" | "pools" | "signal">,
  query: string,
): Promise<number> {
  const took: number[] = [];
  for (let sample = 0; sample < SAMPLES; sample++) {
    signal.throwIfAborted();
    const beganAtMs = clock.nowMs();
    await pools.watcher.query(query);
    took.push(clock.nowMs() - beganAtMs);
  }
  return median(took);
}

function refusalOf(error: unknown): unknown {
  const { sqlstate, message } = error as { readonly sqlstate?: unknown; readonly message?: string };
  // Of the server's errors, those that are about the connection are no word on the statement.
  if (typeof sqlstate !== "string" || /^(?:08|53|57P)/.test(sqlstate)) return error;
  const why =
    sqlstate === "57014"
      ? `it takes longer than ${LONGEST_S} s`
      : `the server refuses it: ${message ?? "no reason given"} (${sqlstate})`;
  return new QueryRefused(why, { cause: error });
}

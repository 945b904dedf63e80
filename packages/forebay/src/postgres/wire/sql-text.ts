// Where the pieces of an SQL text end that must not be looked into: strings, quoted names,
// comments. By PostgreSQL's lexical rules, with `standard_conforming_strings` on, as it is by
// default.

const LINE_COMMENT = /--[^\n\r]*/y;
const PLAIN_STRING = /'(?:[^']|'')*(?:'|$)/y;
const ESCAPE_STRING = /[eE]'(?:[^'\\]|''|\\[^]|\\$)*(?:'|$)/y;
/** What may stand between two pieces of one string; an escape string goes on as one. */
const CONTINUATION = /(?:[ \t\f\v]|--[^\n\r]*)*[\n\r](?:\s|--[^\n\r]*[\n\r])*'/y;
const ESCAPE_REST = /'(?:[^'\\]|''|\\[^]|\\$)*(?:'|$)/y;
const QUOTED_NAME = /"(?:[^"]|"")*(?:"|$)/y;
const DOLLAR_TAG = /\$(?:[A-Za-z_\u0080-\uffff][A-Za-z0-9_\u0080-\uffff]*)?\$/y;
/** Names, keywords and numbers; a dollar sign within one begins nothing. */
const WORD = /[A-Za-z0-9_\u0080-\uffff][A-Za-z0-9_$\u0080-\uffff]*/y;

/**
 * Where the piece ends that begins at `at`: a string, a quoted name, a comment, a word. `at` itself
 * for any other character. What is never closed goes to the end of the text.
 */
export function pieceEnd(sql: string, at: number): number {
  switch (sql[at] as string) {
    case "'":
      return match(PLAIN_STRING, sql, at);
    case '"':
      return match(QUOTED_NAME, sql, at);
    case "-":
      return match(LINE_COMMENT, sql, at);
    case "/":
      return sql[at + 1] === "*" ? commentEnd(sql, at) : at;
    case "$":
      return dollarEnd(sql, at);
    case "e":
    case "E":
      return sql[at + 1] === "'" ? escapeStringEnd(sql, at) : match(WORD, sql, at);
    default:
      return match(WORD, sql, at);
  }
}

/** Whether another statement follows a semicolon. Errs, if at all, towards `true`. */
export function hasSeveralStatements(sql: string): boolean {
  let isAfter = false;
  if (!sql.includes(";")) return false;
  for (let at = 0; at < sql.length; ) {
    const end = pieceEnd(sql, at);
    const isComment = end > at && (sql[at] === "-" || sql[at] === "/");
    if (isAfter && !isComment && !/[\s;]/.test(sql[at] as string)) return true;
    if (sql[at] === ";") isAfter = true;
    at = end > at ? end : at + 1;
  }
  return false;
}

/** What a statement begins with that can be prepared, and be of use so. */
const PREPARABLE: ReadonlySet<string> = new Set([
  "select",
  "insert",
  "update",
  "delete",
  "merge",
  "with",
  "values",
  "table",
]);

/** Whether it is worth while to keep the statement prepared: a query, or a change of rows. */
export function isPreparable(sql: string): boolean {
  return PREPARABLE.has(firstWord(sql));
}

/** What the statement begins with, in lower case; empty where that is no word. */
export function firstWord(sql: string): string {
  for (let at = 0; at < sql.length; ) {
    const end = pieceEnd(sql, at);
    const char = sql[at] as string;
    const isComment = end > at && (char === "-" || char === "/");
    if (end > at && !isComment) return sql.slice(at, end).toLowerCase();
    if (end === at && !/[\s(]/.test(char)) return "";
    at = Math.max(end, at + 1);
  }
  return "";
}

function match(pattern: RegExp, sql: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(sql) ? pattern.lastIndex : at;
}

function escapeStringEnd(sql: string, at: number): number {
  let end = match(ESCAPE_STRING, sql, at);
  for (;;) {
    const next = match(CONTINUATION, sql, end);
    if (next === end) return end;
    end = match(ESCAPE_REST, sql, next - 1);
  }
}

/** Comments of this kind nest. */
function commentEnd(sql: string, at: number): number {
  const mark = /\/\*|\*\//g;
  mark.lastIndex = at;
  for (let depth = 0; ; ) {
    const found = mark.exec(sql);
    if (found === null) return sql.length;
    depth += found[0] === "/*" ? 1 : -1;
    if (depth === 0) return mark.lastIndex;
  }
}

function dollarEnd(sql: string, at: number): number {
  const bodyAt = match(DOLLAR_TAG, sql, at);
  if (bodyAt === at) return at;
  const closeAt = sql.indexOf(sql.slice(at, bodyAt), bodyAt);
  return closeAt < 0 ? sql.length : closeAt + bodyAt - at;
}

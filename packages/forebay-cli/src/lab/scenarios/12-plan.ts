// Scenario 12: its arms, and what is measured of them.

import type { StatementArm, StatementTurn } from "./12-arms.ts";

/** Names the arms. */
export type StatementKey =
  | "stmt"
  | "fifo"
  | "lifo"
  | "few"
  | "capped"
  | "stmtCapped"
  | "nothing"
  | "churn";

/** How many connections most arms have. */
export const MANY = 40;
const FEW = 10;
const CAP = 10;
/** The lifetime of the arm that has one. */
export const LIFETIME_MS = 250;

/** The arms, in the order of the report. */
export const ARMS: Readonly<Record<StatementKey, StatementArm>> = {
  stmt: {
    name: "Stmt, first in first out",
    role: "baseline",
    by: "Stmt",
    connections: MANY,
    idleOrder: "fifo",
  },
  fifo: {
    name: "by text, first in first out",
    role: "variant",
    by: "text",
    connections: MANY,
    idleOrder: "fifo",
  },
  lifo: {
    name: "by text, last in first out",
    role: "change",
    by: "text",
    connections: MANY,
    idleOrder: "lifo",
  },
  few: {
    name: `by text, ${FEW} connections, first in first out`,
    role: "change",
    by: "text",
    connections: FEW,
    idleOrder: "fifo",
  },
  capped: {
    name: `by text, ${CAP} kept, first in first out`,
    role: "variant",
    by: "text",
    connections: MANY,
    idleOrder: "fifo",
    keepMax: CAP,
  },
  stmtCapped: {
    name: `Stmt, ${CAP} kept, first in first out`,
    role: "variant",
    by: "Stmt",
    connections: MANY,
    idleOrder: "fifo",
    keepMax: CAP,
  },
  nothing: {
    name: "by text, none kept (cache-describe)",
    role: "negative control",
    by: "text",
    connections: MANY,
    idleOrder: "fifo",
    statementMode: "cache-describe",
  },
  churn: {
    name: `by text, last in first out, lifetime ${LIFETIME_MS} ms`,
    role: "variant",
    by: "text",
    connections: MANY,
    idleOrder: "lifo",
    isShortLived: true,
  },
};

/** The keys, in the order of the report. */
export const STATEMENT_KEYS: readonly StatementKey[] = [
  "stmt",
  "fifo",
  "lifo",
  "few",
  "capped",
  "stmtCapped",
  "nothing",
  "churn",
];

/** What one session takes, and whether a name means something in another. */
export interface OneSession {
  readonly asked: number;
  readonly prepared: number;
  /** What EXECUTE of a statement said that another session had prepared. */
  readonly elsewhere: string;
}

/** All that scenario 12 measured. */
export interface StatementsMeasured {
  readonly requests: number;
  readonly turns: Readonly<Record<StatementKey, StatementTurn>>;
  readonly oneSession: OneSession;
}

/** Share of the requests that found their statement prepared. */
export function hitRate({ executes, parses }: StatementTurn): number {
  return executes === 0 ? Number.NaN : 1 - parses / executes;
}

/**
 * Memory of one prepared statement at the server, in bytes: what the sessions with the most of them
 * have for plans, less what those without have.
 */
export function bytesEach({ nothing, stmt }: StatementsMeasured["turns"]): number {
  return (stmt.held.planBytes - nothing.held.planBytes) / Math.max(1, stmt.held.total);
}

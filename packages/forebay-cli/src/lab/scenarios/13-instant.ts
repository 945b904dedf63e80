// Scenario 13 without a server: what a deadline takes of a query that waits for a connection and is
// then answered at once. Of the library, that is: deadlines of the wait are the pool's.

import { type DB, openDB } from "forebay";
import { timeoutSignal } from "../clock.ts";
import { roundNote, takeTurnsByName } from "../compare.ts";
import { type InstantRow, InstantDriver } from "../instant-driver.ts";
import { collectGarbage } from "../memory.ts";
import { cpuNsOf } from "../op-cost.ts";
import type { ScenarioContext } from "../scenario.ts";
import { DEADLINE_MS, parentSignal } from "./13-ways.ts";

/** Queries at once. */
export const INSTANT_CALLERS = 16;
/** The connections for which they wait. */
export const INSTANT_CONNECTIONS = 4;

/** The ways to bound the wait, as arms. */
export const INSTANT_WAYS = ["none", "any", "own"] as const;
/** The key of one of them. */
export type InstantWay = (typeof INSTANT_WAYS)[number];

/** What each way is called in a report, and its code. */
export const INSTANT_NAMES: Readonly<Record<InstantWay, { name: string; code: string }>> = {
  none: { name: "instant driver, no deadline", code: "db.queryRow(sql)" },
  any: {
    name: "instant driver, AbortSignal.any",
    code: "signal: AbortSignal.any([parent, AbortSignal.timeout(ms)])",
  },
  own: {
    name: "instant driver, acquireTimeoutMs and signal",
    code: "openDB(connector, { acquireTimeoutMs: ms }), signal: parent",
  },
};

/** CPU time of a query in nanoseconds, by way and round. */
export type InstantMeasured = Readonly<Record<InstantWay, readonly number[]>>;

/** Runs the ways in turns, `queries` in each. */
export async function timeInstant(
  context: ScenarioContext,
  rounds: number,
  queries: number,
): Promise<InstantMeasured> {
  const unbounded = await openInstant(context, Infinity);
  const bounded = await openInstant(context, DEADLINE_MS);
  const crowds = queries / INSTANT_CALLERS;
  const turns = await takeTurnsByName({
    rounds: rounds + 1,
    signal: context.signal,
    steal: context.steal,
    names: INSTANT_WAYS,
    take: async (way, round) => {
      context.step(INSTANT_NAMES[way].name, queries * 0.005, roundNote(round, rounds));
      collectGarbage();
      const ask = askBy(way, unbounded, bounded);
      const ns = await cpuNsOf(context, crowds, () =>
        Promise.all(Array.from({ length: INSTANT_CALLERS }, ask)),
      );
      return ns / INSTANT_CALLERS;
    },
  });
  // The first round meets cold code.
  return { none: turns.none.slice(1), any: turns.any.slice(1), own: turns.own.slice(1) };
}

async function openInstant(context: ScenarioContext, acquireTimeoutMs: number): Promise<DB> {
  const size = INSTANT_CONNECTIONS;
  const limits = { maxOpenConns: size, maxIdleConns: size, acquireTimeoutMs };
  const db = openDB(new InstantDriver(), limits);
  context.defer(() => db.close());
  await db.warmUp(size);
  return db;
}

function askBy(way: InstantWay, unbounded: DB, bounded: DB): () => Promise<InstantRow> {
  const parent = parentSignal();
  if (way === "none") return () => unbounded.queryRow<InstantRow>("SELECT 1");
  if (way === "own") {
    return () => bounded.queryRow<InstantRow>("SELECT 1", [], { signal: parent });
  }
  return () =>
    unbounded.queryRow<InstantRow>("SELECT 1", [], {
      signal: AbortSignal.any([parent, timeoutSignal(DEADLINE_MS)]),
    });
}

// Scenario 13, deadlines that are met: how late a query is stopped, and whether a stop ever hits
// somebody else's query.

import { isForebayError } from "forebay";
import type { LabDb } from "../pools.ts";
import type { ScenarioContext } from "../scenario.ts";

/** What came of races between the end of a query and its deadline or abort. */
export interface Races {
  readonly races: number;
  /** Races that the deadline or the abort won. */
  readonly stopped: number;
  /** Queries that nobody stopped, and that were stopped all the same. */
  readonly lateCancels: number;
  /** Queries that nobody stopped, and that failed in another way, or gave a wrong value. */
  readonly wrong: number;
}

const DEADLINE_MS = 15;
/** The server takes up to this much longer than the deadline is long. */
const SLEEP_SPAN_MS = 30;
/** A query by key is answered within so many turns of the event loop, mostly. */
const TURNS_MAX = 6;

/**
 * Lets `callers` race for `durationMs`, on a pool of half as many connections, so that each
 * connection goes from a race to somebody else's query at once.
 */
export async function runRaces(
  context: ScenarioContext,
  callers: number,
  durationMs: number,
): Promise<Races> {
  const { clock, pools, signal } = context;
  const size = Math.ceil(callers / 2);
  const db = pools.openDb({ maxOpenConns: size, maxIdleConns: size });
  const tally = { races: 0, stopped: 0, lateCancels: 0, wrong: 0 };
  const startedAtMs = clock.nowMs();
  const caller = async (): Promise<void> => {
    while (clock.nowMs() - startedAtMs < durationMs) {
      signal.throwIfAborted();
      const race = tally.races++;
      const isStopped = await (race % 2 === 0 ? raceDeadline : raceAbort)(context, db);
      if (isStopped) tally.stopped++;
      for (let probe = 0; probe < 2; probe++) await probeOne(db, race, tally);
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  await db.close();
  return tally;
}

async function raceDeadline(context: ScenarioContext, db: LabDb): Promise<boolean> {
  const sleepMs = DEADLINE_MS + context.random.next() * SLEEP_SPAN_MS;
  return wasStopped(
    db.query("SELECT pg_sleep($1)", [sleepMs / 1000], { timeoutMs: DEADLINE_MS }),
    (error) => isForebayError(error) && error.code === "STATEMENT_TIMEOUT",
  );
}

async function raceAbort(context: ScenarioContext, db: LabDb): Promise<boolean> {
  const abort = new AbortController();
  const reason = new Error("aborted by the race");
  const query = db.query("SELECT $1::int AS v", [1], { signal: abort.signal });
  const stopped = wasStopped(query, (error) => error === reason);
  const turns = Math.floor(context.random.next() * TURNS_MAX);
  for (let turn = 0; turn < turns; turn++) {
    await new Promise<void>((resolve) => {
      context.clock.afterIo(resolve);
    });
  }
  abort.abort(reason);
  return stopped;
}

async function wasStopped(
  query: Promise<unknown>,
  isStop: (error: unknown) => boolean,
): Promise<boolean> {
  try {
    await query;
    return false;
  } catch (error) {
    if (isStop(error)) return true;
    throw error;
  }
}

/** A query that nobody stops must give its own value. */
async function probeOne(
  db: LabDb,
  value: number,
  tally: { lateCancels: number; wrong: number },
): Promise<void> {
  try {
    const row = await db.queryRow<{ v: number }>("SELECT $1::int AS v", [value]);
    if (row.v !== value) tally.wrong++;
  } catch (error) {
    const { code } = error as { readonly code?: unknown };
    if (code === QUERY_CANCELED) tally.lateCancels++;
    else tally.wrong++;
  }
}

const QUERY_CANCELED = "57014";

/** How much later than its deadline each of `count` endless queries was rejected, by two ways. */
export async function measureLateness(
  context: ScenarioContext,
  count: number,
  bound: (deadlineMs: number) => { readonly timeoutMs?: number; readonly signal?: AbortSignal },
): Promise<number[]> {
  const { clock, pools, random, signal } = context;
  const db = pools.openDb({ maxOpenConns: CALLERS, maxIdleConns: CALLERS });
  await db.warmUp(CALLERS);
  const lateMs: number[] = [];
  let begun = 0;
  const caller = async (): Promise<void> => {
    while (begun++ < count) {
      signal.throwIfAborted();
      const deadlineMs = 20 + Math.floor(random.next() * 60);
      const conn = await db.conn();
      const beganAtMs = clock.nowMs();
      await conn.query("SELECT pg_sleep(60)", [], bound(deadlineMs)).catch(() => undefined);
      lateMs.push(clock.nowMs() - beganAtMs - deadlineMs);
      await conn.close();
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
  await db.close();
  return lateMs;
}

const CALLERS = 2;

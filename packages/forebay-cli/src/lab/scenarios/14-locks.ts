// Scenario 14, what becomes of an advisory lock: when its Conn comes back with it, when its
// connection is lost, and behind a pooler that gives each transaction another session.

import { withAdvisoryLock } from "forebay/postgres";
import { pause } from "../clock.ts";
import { failureKind } from "../failures.ts";
import { findPgBouncer, PGBOUNCER_MISSING, startPgBouncer } from "../pgbouncer.ts";
import type { LabDb } from "../pools.ts";
import type { ScenarioContext } from "../scenario.ts";

/** How often something was tried, and how often it came out as asked. */
export interface Tally {
  readonly trials: number;
  readonly count: number;
}

/** What became of locks that were not unlocked, and of those that were lost. */
export interface LockFigures {
  /** Conn came back with the lock, and another session could have it. */
  readonly nextHasItAuto: Tally;
  /** The same with `sessionReset: "off"`, as database/sql leaves it. */
  readonly nextHasItOff: Tally;
  /** The function within `withAdvisoryLock` threw, and another session could have the lock. */
  readonly nextHasItAfterThrow: Tally;
  /** The holder's session was ended, and its function was told. */
  readonly lossTold: Tally;
  readonly lossToldWithinMs: number;
}

/** What became of locks behind PgBouncer in transaction mode. */
export interface PoolerFigures {
  readonly version: string;
  /** Two clients had the same lock at once, by `pg_advisory_lock` on a Conn. */
  readonly bothHadIt: Tally;
  /** `withAdvisoryLock` refused, saying why. */
  readonly refused: Tally;
  /** With `transaction: true` the second client did not get the lock. */
  readonly excluded: Tally;
}

const TRY_SQL = "SELECT pg_try_advisory_lock($1) AS got";

/** Tries each way `trials` times. */
export async function runLocks(context: ScenarioContext, trials: number): Promise<LockFigures> {
  const { pools } = context;
  const one = { maxOpenConns: 1, maxIdleConns: 1 };
  const auto = pools.openDb(one);
  const off = pools.openDb({ ...one, connection: { sessionReset: "off" } });
  const other = pools.openDb(one);
  const leave = async (db: LabDb): Promise<Tally> =>
    tally(trials, async (key) => {
      await db.withConn((conn) => conn.exec("SELECT pg_advisory_lock($1)", [key]));
      await untilIdle(context, db);
      const got = await isFree(other, key);
      await db.exec("SELECT pg_advisory_unlock_all()");
      return got;
    });
  const lost = await loseLocks(context, auto, Math.ceil(trials / 4));
  const figures = {
    nextHasItAuto: await leave(auto),
    nextHasItOff: await leave(off),
    nextHasItAfterThrow: await tally(trials, async (key) => {
      const thrown = new Error("the function failed");
      const run = withAdvisoryLock(auto, BigInt(key), () => Promise.reject(thrown));
      const outcome = await run.catch((error: unknown) => error);
      return outcome === thrown && (await isFree(other, key));
    }),
    ...lost,
  };
  await Promise.all([auto.close(), off.close(), other.close()]);
  return figures;
}

const IDLE_TRIES = 2000;

/** A session is made fit after its holder has left; until then it is nobody's. */
async function untilIdle({ clock, signal }: ScenarioContext, db: LabDb): Promise<void> {
  for (let tries = 0; tries < IDLE_TRIES && db.stats().idle === 0; tries++) {
    await pause(clock, 1, signal);
  }
}

/** Whether a session gets the lock; it gives it back. */
function isFree(db: LabDb, key: number): Promise<boolean> {
  return db.withConn(async (conn) => {
    const { got } = await conn.queryRow<{ got: boolean }>(TRY_SQL, [key]);
    if (got) await conn.exec("SELECT pg_advisory_unlock($1)", [key]);
    return got;
  });
}

const TOLD_WITHIN_MS = 2000;

async function loseLocks(
  { clock, pools, signal }: ScenarioContext,
  db: LabDb,
  trials: number,
): Promise<Pick<LockFigures, "lossTold" | "lossToldWithinMs">> {
  let lossToldWithinMs = 0;
  const lossTold = await tally(trials, async (key) => {
    const run = withAdvisoryLock(db, BigInt(key), async (lock) => {
      const { pid } = await lock.on.queryRow<{ pid: number }>("SELECT pg_backend_pid() AS pid");
      await pools.watcher.exec("SELECT pg_terminate_backend($1)", [pid]);
      const endedAtMs = clock.nowMs();
      const told = AbortSignal.any([lock.signal, signal]);
      await pause(clock, TOLD_WITHIN_MS, told).catch(() => undefined);
      if (lock.signal.aborted) {
        lossToldWithinMs = Math.max(lossToldWithinMs, clock.nowMs() - endedAtMs);
      }
    });
    const error = await run.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    signal.throwIfAborted();
    return (error as { code?: unknown } | undefined)?.code === "LOCK_LOST";
  });
  return { lossTold, lossToldWithinMs };
}

/** Why the arms behind PgBouncer do not run; `undefined` where they do. */
export function whyNoPooler(context: ScenarioContext): string | undefined {
  if (context.server.kind !== "embedded") {
    return "The arms behind PgBouncer run on a server of the lab's own only.";
  }
  if (findPgBouncer() !== undefined) return undefined;
  return PGBOUNCER_MISSING.replace("It needs", "The arms behind PgBouncer need");
}

/** The same lock asked for by two clients of a PgBouncer in transaction mode. */
export async function runBehindPooler(
  context: ScenarioContext,
  trials: number,
): Promise<PoolerFigures> {
  const pooler = await startPgBouncer(context, { poolSize: 4 });
  const openBehind = (): LabDb =>
    context.pools.openDb({
      maxOpenConns: 1,
      maxIdleConns: 1,
      // Nothing that needs a session, so that it is the lock alone that does.
      connection: { ...pooler.connection("transaction"), statementMode: "cache-describe" },
    });
  const first = openBehind();
  const second = openBehind();
  const bothHadIt = await tally(trials, (key) =>
    first.withConn(async (conn) => {
      await conn.exec("SELECT pg_advisory_lock($1)", [key]);
      return (await second.queryRow<{ got: boolean }>(TRY_SQL, [key])).got;
    }),
  );
  const refused = await tally(trials, async (key) => {
    const outcome = await withAdvisoryLock(first, BigInt(key), () => Promise.resolve("ran")).catch(
      failureKind,
    );
    return outcome === "POOLER_UNSUPPORTED";
  });
  const inside = { transaction: true, tryOnly: true };
  const excluded = await tally(trials, (key) =>
    withAdvisoryLock(
      first,
      BigInt(1_000_000 + key),
      async () => {
        const run = (): Promise<string> => Promise.resolve("ran");
        const outcome = await withAdvisoryLock(second, BigInt(1_000_000 + key), run, inside).catch(
          failureKind,
        );
        return outcome === "LOCK_UNAVAILABLE";
      },
      inside,
    ),
  );
  await Promise.all([first.close(), second.close()]);
  return { version: pooler.version, bothHadIt, refused, excluded };
}

async function tally(trials: number, attempt: (key: number) => Promise<boolean>): Promise<Tally> {
  let count = 0;
  for (let trial = 0; trial < trials; trial++) if (await attempt(140_000 + trial)) count++;
  return { trials, count };
}

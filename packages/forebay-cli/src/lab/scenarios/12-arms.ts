// Scenario 12, how its arms run: twenty statements, some of them asked for much more often than
// others, over the connections of a pool; then each connection is asked what it has prepared.

import type { Stmt } from "forebay";
import { sum } from "../compare.ts";
import { countedBetween, type MessageCounter } from "../message-counter.ts";
import { type LabDb, type LabPools, warmUp } from "../pools.ts";
import type { LabRandom } from "../random.ts";
import type { ArmRole, ScenarioContext } from "../scenario.ts";
import { closedTurn, type Turn } from "../turn.ts";

/** How many statements there are. */
export const STATEMENTS = 20;

/** The guide's figures. */
export const GUIDE = { connections: 100, limit: 1024 } as const;

/** How many requests are under way at once. */
export const CALLERS = 8;

/** One way of setting the pool up. */
export interface StatementArm {
  readonly name: string;
  readonly role: ArmRole;
  /** By `Stmt`s, or by the text, which the client keeps prepared by itself. */
  readonly by: "Stmt" | "text";
  readonly connections: number;
  readonly idleOrder: "lifo" | "fifo";
  /** Statements that a connection keeps. @defaultValue Forebay's own limits of 256 */
  readonly keepMax?: number;
  /** @defaultValue "cache-statement" */
  readonly statementMode?: "cache-describe";
  /** Whether connections are closed when they are old, which is soon. @defaultValue `false` */
  readonly isShortLived?: true;
}

/** What the sessions of a pool have prepared. */
export interface Held {
  /** All sessions together, without the statement that asks. */
  readonly total: number;
  /** The most in one session, without the statement that asks. */
  readonly most: number;
  readonly sessions: number;
  /** Memory of all plans, and the number of statements it is for. */
  readonly planBytes: number;
  readonly planned: number;
}

/** What one arm gave. */
export interface StatementTurn {
  readonly turn: Turn;
  readonly parses: number;
  readonly executes: number;
  readonly closes: number;
  /** Prepared less closed less still there, after every session has been asked. */
  readonly unaccounted: number;
  readonly held: Held;
  readonly dials: number;
  /** Left of `Stmt`s that were closed, once another has been prepared on each connection. */
  readonly leftAfterClose: number | undefined;
}

/** What arms share. */
export interface StatementStage {
  readonly context: ScenarioContext;
  readonly pools: LabPools;
  readonly counter: MessageCounter;
  /** Which statement each request runs. */
  readonly picks: readonly number[];
}

/** The share of each statement: that of the n-th is proportional to 1/n (Zipf). */
export function zipfShares(count: number): number[] {
  const weights = Array.from({ length: count }, (_, at) => 1 / (at + 1));
  const all = sum(weights);
  return weights.map((weight) => weight / all);
}

/** Draws which statement each request runs. */
export function drawPicks(random: LabRandom, requests: number): number[] {
  const shares = zipfShares(STATEMENTS);
  return Array.from({ length: requests }, () => {
    let left = random.next();
    const at = shares.findIndex((share) => (left -= share) < 0);
    return at < 0 ? STATEMENTS - 1 : at;
  });
}

/**
 * How many statements sessions have prepared in the end when requests are spread evenly over them:
 * each session has those that have come its way at least once.
 */
export function expectedPrepared(
  shares: readonly number[],
  requests: number,
  sessions: number,
): number {
  const each = requests / sessions;
  return sessions * sum(shares.map((share) => 1 - (1 - share) ** each));
}

const TABLE = "public.stmt_items";

/** Makes the table that the statements read. */
export async function prepareItems(pools: LabPools): Promise<void> {
  await pools.watcher.exec(`CREATE TABLE ${TABLE} (a int PRIMARY KEY, b int NOT NULL)`);
  await pools.watcher.exec(`INSERT INTO ${TABLE} SELECT n, n FROM generate_series(1, 1000) n`);
}

function sqlOf(statement: number): string {
  return `SELECT b + ${statement} AS b FROM ${TABLE} WHERE a = $1`;
}

/** Runs one arm. */
export async function runStatements(
  stage: StatementStage,
  arm: StatementArm,
  lifetimeMs: number,
): Promise<StatementTurn> {
  const { context, counter, picks } = stage;
  const { signal } = context;
  const db = openArm(stage, arm);
  await db.warmUp(arm.connections, { signal });
  // Only now, so that the warm-up does not go after those that have become too old meanwhile.
  if (arm.isShortLived === true) db.setConnMaxLifetimeMs(lifetimeMs);
  const stmts: Stmt[] = [];
  const before = counter.counts();
  if (arm.by === "Stmt") {
    for (let at = 0; at < STATEMENTS; at++) stmts.push(await db.prepare(sqlOf(at)));
  }
  const turn = await closedTurn(context, {
    callers: CALLERS,
    requests: picks.length,
    // The relay works in this process: how busy it is tells nothing about what is counted.
    counts: "effect",
    operate: async (index) => {
      const pick = picks[index] ?? 0;
      const args = [(index % 1000) + 1];
      const stmt = stmts[pick];
      if (stmt === undefined) await db.query(sqlOf(pick), args, { signal });
      else await stmt.query(args, { signal });
    },
  });
  const said = countedBetween(before, counter.counts());
  const dials = db.stats().pool.dialCount;
  // Those that are left are to be asked.
  db.setConnMaxLifetimeMs(Infinity);
  const held = await readHeld(db, signal);
  const all = countedBetween(before, counter.counts());
  const leftAfterClose = arm.by === "Stmt" ? await closeAll(db, stmts, signal) : undefined;
  await db.close();
  return {
    turn,
    parses: said["P"] ?? 0,
    executes: said["E"] ?? 0,
    closes: said["C"] ?? 0,
    unaccounted: (all["P"] ?? 0) - (all["C"] ?? 0) - held.planned,
    held,
    dials,
    leftAfterClose,
  };
}

function openArm({ counter, pools }: StatementStage, arm: StatementArm): LabDb {
  const { connections, idleOrder, keepMax, statementMode } = arm;
  return pools.openDb({
    maxOpenConns: connections,
    maxIdleConns: connections,
    idleOrder,
    ...(keepMax === undefined || arm.by === "text" ? {} : { maxStmtsPerConn: keepMax }),
    connection: {
      host: counter.host,
      port: counter.port,
      sslMode: "disable",
      ...(keepMax === undefined || arm.by === "Stmt" ? {} : { statementCacheMax: keepMax }),
      ...(statementMode === undefined ? {} : { statementMode }),
    },
  });
}

interface HeldRow {
  readonly own: number;
  readonly all: number;
  readonly bytes: number;
}

/** Statements with this mark are the lab's own, and not counted. */
const MARK = "/* lab */";

const HELD_SQL = `${MARK}
  SELECT count(*) FILTER (WHERE strpos(statement, '${MARK}') = 0)::int AS own, count(*)::int AS all,
    (SELECT coalesce(sum(total_bytes), 0)::float8 FROM pg_backend_memory_contexts
      WHERE name LIKE 'CachedPlan%') AS bytes
  FROM pg_prepared_statements`;

/** Asks every session that the pool has open. */
export async function readHeld(db: LabDb, signal: AbortSignal): Promise<Held> {
  const rows: HeldRow[] = [];
  await warmUp(
    {
      use: (run, signal) =>
        db.withConn(
          async (conn) => {
            // All are held until all are there; only then is each asked.
            const result = await run(conn);
            rows.push(await conn.queryRow<HeldRow>(HELD_SQL, [], { signal }));
            return result;
          },
          { signal },
        ),
    },
    db.stats().openConnections,
    HELD_SQL,
    [],
    signal,
  );
  return {
    total: sum(rows.map((row) => row.own)),
    most: Math.max(0, ...rows.map((row) => row.own)),
    sessions: rows.length,
    planBytes: sum(rows.map((row) => row.bytes)),
    planned: sum(rows.map((row) => row.all)),
  };
}

/** Closes all `Stmt`s, prepares another on every connection, and counts what is left of them. */
async function closeAll(db: LabDb, stmts: readonly Stmt[], signal: AbortSignal): Promise<number> {
  await Promise.all(stmts.map((stmt) => stmt.close()));
  await warmUp(
    {
      use: (run, signal) =>
        db.withConn(
          async (conn) => {
            await (await conn.prepare(`${MARK} SELECT 1`, { signal })).close();
            return run(conn);
          },
          { signal },
        ),
    },
    db.stats().openConnections,
    HELD_SQL,
    [],
    signal,
  );
  return (await readHeld(db, signal)).total;
}

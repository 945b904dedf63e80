// Scenario 9: many rows at once instead of one by one. Runs the arms in turns; what they show is
// put together in 09-findings.ts.

import { needConnections } from "../budget.ts";
import { roundNote, takeTurns } from "../compare.ts";
import { collectGarbage, liveBytes } from "../memory.ts";
import { readTreeCpuMs } from "../machine.ts";
import type { LabDb } from "../pools.ts";
import { type Findings, type Scenario, type ScenarioContext } from "../scenario.ts";
import {
  copyChunks,
  copyLines,
  copyWay,
  type InsertWay,
  loopWay,
  narrowTable,
  PARAMETERS_MAX,
  type TableShape,
  transactionWay,
  unnestWay,
  valuesWay,
  wideTable,
} from "./09-arms.ts";
import { figure } from "../words.ts";
import { describeBatch } from "./09-findings.ts";

/** What one turn of one way gave. Times are for each row. */
export interface InsertTurn {
  readonly rows: number;
  readonly wallMs: number;
  readonly clientCpuMs: number;
  /** Undefined where the server's CPU time cannot be seen. */
  readonly serverCpuMs: number | undefined;
  readonly utilisationRatio: number;
}

/** A way with its turns. */
export interface InsertArm {
  readonly way: InsertWay;
  readonly turns: readonly InsertTurn[];
}

/** How a statement with one parameter too many was met. */
export interface LimitProbe {
  readonly isRefusedByClient: boolean;
  readonly message: string;
  readonly isUsableAfter: boolean;
}

/** What a long COPY held in memory. */
export interface MemoryProbe {
  readonly streamedBytes: number;
  readonly peakLiveBytes: number;
}

/** All that scenario 9 measured. */
export interface BatchMeasured {
  readonly rows: number;
  readonly rounds: number;
  readonly narrow: readonly InsertArm[];
  readonly wideRows: number;
  readonly wide: readonly InsertArm[];
  /** Turns after which the table did not hold what was inserted. */
  readonly wrongTurns: number;
  readonly limit: LimitProbe;
  readonly memory: MemoryProbe;
}

interface BatchPlan {
  readonly rows: number;
  readonly rounds: number;
  readonly wideRows: number;
  readonly wideRounds: number;
  readonly streamedRows: number;
}

function planOf(context: ScenarioContext): BatchPlan {
  return context.isQuick
    ? { rows: 50_000, rounds: 14, wideRows: 4000, wideRounds: 3, streamedRows: 1_000_000 }
    : { rows: 100_000, rounds: 14, wideRows: 20_000, wideRounds: 4, streamedRows: 2_000_000 };
}

async function run(context: ScenarioContext): Promise<Findings> {
  needConnections(context, 1);
  const plan = planOf(context);
  const db = context.pools.openDb({ maxOpenConns: 1, maxIdleConns: 1 });
  const { schema } = context;
  const narrow = narrowTable(schema);
  const wide = wideTable(schema);
  for (const shape of [narrow, wide]) {
    const columns = shape.columns.map((name) => `${name} ${shape.type} NOT NULL`).join(", ");
    await context.pools.watcher.exec(`CREATE TABLE ${shape.table} (${columns})`);
  }
  const ways = [
    loopWay,
    transactionWay,
    valuesWay(1000),
    unnestWay(1000),
    unnestWay(10_000),
    copyWay,
  ];
  const wideWays = [valuesWay(1000), unnestWay(1000), copyWay];
  const wrong = { turns: 0 };
  const narrowArms = await takeWays(context, db, { shape: narrow, ways, wrong, ...plan });
  const wideArms = await takeWays(context, db, {
    shape: wide,
    ways: wideWays,
    wrong,
    rows: plan.wideRows,
    rounds: plan.wideRounds,
  });
  const measured: BatchMeasured = {
    rows: plan.rows,
    rounds: plan.rounds,
    narrow: narrowArms,
    wideRows: plan.wideRows,
    wide: wideArms,
    wrongTurns: wrong.turns,
    limit: await probeLimit(context, db),
    memory: await probeMemory(context, db, narrow, plan.streamedRows),
  };
  await db.close();
  return describeBatch(context, measured, await context.judge());
}

interface WaysToTake {
  readonly shape: TableShape;
  readonly ways: readonly InsertWay[];
  readonly rows: number;
  readonly rounds: number;
  /** Counts up. */
  readonly wrong: { turns: number };
}

async function takeWays(
  context: ScenarioContext,
  db: LabDb,
  take: WaysToTake,
): Promise<InsertArm[]> {
  const { shape, ways, rounds } = take;
  let last = "";
  const turns = await takeTurns({
    rounds: rounds + 1,
    signal: context.signal,
    steal: context.steal,
    arms: ways.map((way) => async (round: number) => {
      const expectedMs = way.rowsMax < take.rows ? 500 : (take.rows * shape.columns.length) / 800;
      const note = roundNote(round, rounds);
      context.step(`${shape.columns.length} columns, ${way.name}`, expectedMs, note, last);
      const turn = await runWay(context, db, take, way);
      last = `${way.name}: ${figure((1000 * turn.rows) / turn.wallMs)} rows/s`;
      return turn;
    }),
  });
  // The first round meets cold code and empty caches.
  return ways.map((way, at) => ({ way, turns: turns[at]?.slice(1) ?? [] }));
}

async function runWay(
  context: ScenarioContext,
  db: LabDb,
  take: WaysToTake,
  way: InsertWay,
): Promise<InsertTurn> {
  const { clock, signal } = context;
  const { postmasterPid } = context.facts;
  const { shape } = take;
  const rows = Math.min(take.rows, Math.round(way.rowsMax / (context.isQuick ? 3 : 1)));
  const readCpu = async (): Promise<number | undefined> =>
    postmasterPid === undefined ? undefined : readTreeCpuMs(postmasterPid);
  await db.exec(`TRUNCATE ${shape.table}`, [], { signal });
  const cpuBefore = await readCpu();
  context.loop.begin();
  const beganAtMs = clock.nowMs();
  await way.insert(db, shape, rows, signal);
  const wallMs = clock.nowMs() - beganAtMs;
  const { clientCpuMs, utilisationRatio } = context.loop.end("effect");
  const cpuAfter = await readCpu();
  if (!(await holdsRows(db, shape, rows))) take.wrong.turns++;
  return {
    rows,
    wallMs,
    clientCpuMs,
    utilisationRatio,
    serverCpuMs:
      cpuBefore === undefined || cpuAfter === undefined ? undefined : cpuAfter - cpuBefore,
  };
}

/** Compares the number of rows, and the sum of all numbers or of the lengths of all texts. */
async function holdsRows(db: LabDb, shape: TableShape, rows: number): Promise<boolean> {
  const one = shape.columns
    .map((name) => (shape.type === "int" ? `${name}::bigint` : `length(${name})`))
    .join(" + ");
  const found = await db.queryRow<{ count: string; checksum: string }>(
    `SELECT count(*)::text AS count, sum(${one})::text AS checksum FROM ${shape.table}`,
  );
  let checksum = 0;
  for (let row = 0; row < rows; row++) {
    for (const column of shape.columns.keys()) {
      const value = shape.value(row, column);
      checksum += typeof value === "number" ? value : value.length;
    }
  }
  return found.count === String(rows) && found.checksum === String(checksum);
}

async function probeLimit(context: ScenarioContext, db: LabDb): Promise<LimitProbe> {
  const places = Array.from({ length: PARAMETERS_MAX + 1 }, (_, at) => `($${at + 1}::int)`);
  const args = places.map((_, at) => at);
  const sql = `SELECT count(*)::int AS count FROM (VALUES ${places.join(", ")}) AS v`;
  let message = "It was not refused.";
  let isRefusedByClient = false;
  try {
    await db.query(sql, args, { signal: context.signal });
  } catch (error) {
    const { family } = error as { readonly family?: unknown };
    message = error instanceof Error ? error.message : String(error);
    isRefusedByClient = family === "usage" && /65,?535/.test(message);
  }
  const { rows } = await db.query<{ one: number }>("SELECT 1 AS one");
  return { isRefusedByClient, message, isUsableAfter: rows[0]?.one === 1 };
}

const MEMORY_LOOKS = 16;

/**
 * Copies many rows and looks, after a garbage collection, at what is alive meanwhile: what the
 * client has buffered.
 */
async function probeMemory(
  context: ScenarioContext,
  db: LabDb,
  shape: TableShape,
  rows: number,
): Promise<MemoryProbe> {
  context.step("COPY, memory", rows / 1000);
  await db.exec(`TRUNCATE ${shape.table}`);
  let streamedBytes = 0;
  let peakLiveBytes = 0;
  collectGarbage();
  const before = liveBytes();
  const chunks = function* (): Generator<string> {
    let row = 0;
    let nextLook = rows / MEMORY_LOOKS;
    for (const chunk of copyChunks(shape, rows)) {
      row += 500;
      streamedBytes += chunk.length;
      yield chunk;
      if (row < nextLook) continue;
      nextLook += rows / MEMORY_LOOKS;
      collectGarbage();
      peakLiveBytes = Math.max(peakLiveBytes, liveBytes() - before);
    }
  };
  await copyLines(db, shape, chunks(), context.signal);
  await db.exec(`TRUNCATE ${shape.table}`);
  return { streamedBytes, peakLiveBytes };
}

/** Scenario 9 of the guide. */
export const batchInsert: Scenario = {
  id: 9,
  title: "Many rows at once instead of one by one",
  needs: "two free connections, some megabytes of disk",
  expectedMs: 45_000,
  expectedQuickMs: 14_000,
  run,
};

// Scenario 7, how its arms run: the same statements through the driver alone, through the portable
// layer over it, and with what only the native layer has.

import { type DB, openDB } from "forebay";
import type { DriverConn } from "forebay/driver";
import { postgres } from "forebay/postgres";
import { openNetwork, through } from "../network.ts";
import { type ArmPoolOptions, type LabDb, warmUp } from "../pools.ts";
import type { ScenarioContext } from "../scenario.ts";
import { closedTurn, type Turn } from "../turn.ts";

/** The network of the far arms: a round trip takes twice this. */
export const DELAY_MS = 1;

/** Connections of the arms with many callers, and how many callers there are. */
export const CONNECTIONS = 4;
export const CALLERS = 64;

/** A large result. */
export const LARGE_ROWS = 1000;
export const LARGE_COLUMNS = 8;

/** Statements of a batch. */
export const BATCH = 10;

/** CPU time of this process for each request of a turn, in milliseconds. */
export function cpuPerRequestMs(turn: Turn): number {
  return turn.clientCpuMs / turn.requests;
}

/** How long a request of a turn took: with many callers, the time between two answers. */
export function timePerRequestMs(arm: LayersArm, turn: Turn): number {
  return arm.endsWith("Many") ? turn.durationMs / turn.requests : turn.response.percentileMs(50);
}

/** The guide's rate. */
export const GUIDE_PER_S = 10_000;

/** All numbers of a run. */
export interface LayersPlan {
  readonly rounds: number;
  readonly oneRowRequests: number;
  readonly manyCallersRequests: number;
  readonly largeRequests: number;
  readonly batches: number;
}

/** Plans a run. */
export function planLayers({ isQuick }: Pick<ScenarioContext, "isQuick">): LayersPlan {
  return isQuick
    ? {
        rounds: 6,
        oneRowRequests: 250,
        manyCallersRequests: 1000,
        largeRequests: 15,
        batches: 4,
      }
    : {
        rounds: 8,
        oneRowRequests: 800,
        manyCallersRequests: 4000,
        largeRequests: 40,
        batches: 8,
      };
}

/** The arms, by what is asked and how. */
export const ARMS = [
  "driver",
  "portable",
  "native",
  "portableMany",
  "pipelinedMany",
  "largeText",
  "largeObjects",
  "largeArrays",
  "largeColumns",
  "nearOneByOne",
  "nearBatch",
  "farOneByOne",
  "farAtOnce",
  "farBatch",
] as const;

/** The name of an arm. */
export type LayersArm = (typeof ARMS)[number];

/** One arm, ready to be run. */
export interface ReadyArm {
  readonly requests: number;
  readonly callers: number;
  operate(): Promise<unknown>;
}

/** Runs one turn of an arm. */
export function runLayersTurn(context: ScenarioContext, arm: ReadyArm): Promise<Turn> {
  return closedTurn(context, {
    callers: arm.callers,
    requests: arm.requests,
    // A closed loop keeps the event loop as busy as it can be.
    counts: "effect",
    operate: async () => {
      await arm.operate();
    },
  });
}

type Ask = Pick<DB, "query">;

/** Opens what all arms need; it stays open over all turns. */
export async function openLayers(
  context: ScenarioContext,
  plan: LayersPlan,
): Promise<Record<LayersArm, ReadyArm>> {
  const sqls = await createTables(context);
  const one = await openOne(context, plan, sqls.one);
  const large = await openLarge(context, plan, sqls.large);
  const near = await openBatches(context, plan, sqls.one, { delayMs: 0, connections: 1 });
  const far = await openBatches(context, plan, sqls.one, { delayMs: DELAY_MS, connections: BATCH });
  return {
    ...one,
    ...large,
    nearOneByOne: near.oneByOne,
    nearBatch: near.batch,
    farOneByOne: far.oneByOne,
    farAtOnce: far.atOnce,
    farBatch: far.batch,
  };
}

type OneRowArm = "driver" | "portable" | "native" | "portableMany" | "pipelinedMany";

async function openOne(
  context: ScenarioContext,
  plan: LayersPlan,
  sql: string,
): Promise<Record<OneRowArm, ReadyArm>> {
  const { pools, signal } = context;
  const driver: DriverConn = await pools.dial(signal);
  context.defer(async () => driver.close());
  const portable = openPortable(context, 1);
  const native = pools.openDb(size(1));
  const portableMany = openPortable(context, CONNECTIONS);
  const pipelined = pools.openDb({ ...size(CONNECTIONS), pipelining: { depth: CALLERS } });
  await warm(context, portableMany, CONNECTIONS, sql);
  await warm(context, pipelined, CONNECTIONS, sql);
  const caller = (db: Ask): ReadyArm => ({
    requests: plan.oneRowRequests,
    callers: 1,
    operate: keyed((key) => db.query(sql, [key])),
  });
  const many = (db: Ask): ReadyArm => ({
    requests: plan.manyCallersRequests,
    callers: CALLERS,
    operate: keyed((key) => db.query(sql, [key])),
  });
  return {
    driver: {
      requests: plan.oneRowRequests,
      callers: 1,
      operate: keyed((key) => driver.query(sql, [key])),
    },
    portable: caller(portable),
    native: caller(native),
    portableMany: many(portableMany),
    pipelinedMany: many(pipelined),
  };
}

type LargeArm = "largeText" | "largeObjects" | "largeArrays" | "largeColumns";

async function openLarge(
  context: ScenarioContext,
  plan: LayersPlan,
  sql: string,
): Promise<Record<LargeArm, ReadyArm>> {
  const portable = openPortable(context, 1);
  const text = openPortable(context, 1, { statementMode: "exec" });
  const native = context.pools.openDb(size(1));
  for (const db of [portable, text, native]) await db.query(sql);
  const arm = (operate: () => Promise<unknown>): ReadyArm => ({
    requests: plan.largeRequests,
    callers: 1,
    operate,
  });
  return {
    largeText: arm(() => text.query(sql)),
    largeObjects: arm(() => portable.query(sql)),
    largeArrays: arm(() => portable.query(sql, [], { rowMode: "array" })),
    largeColumns: arm(() => native.queryColumns(sql)),
  };
}

async function openBatches(
  context: ScenarioContext,
  plan: LayersPlan,
  sql: string,
  how: { readonly delayMs: number; readonly connections: number },
): Promise<Record<"oneByOne" | "atOnce" | "batch", ReadyArm>> {
  const connection = through(await openNetwork(context, how.delayMs));
  const portable = openPortable(context, how.connections, connection);
  const native: LabDb = context.pools.openDb({ ...size(1), connection });
  await warm(context, portable, how.connections, sql);
  await warm(context, native, 1, sql);
  const keys = Array.from({ length: BATCH }, (_, at) => at + 1);
  const arm = (operate: () => Promise<unknown>): ReadyArm => ({
    requests: plan.batches,
    callers: 1,
    operate,
  });
  return {
    oneByOne: arm(async () => {
      for (const key of keys) await portable.query(sql, [key]);
    }),
    atOnce: arm(() => Promise.all(keys.map((key) => portable.query(sql, [key])))),
    batch: arm(() => native.batch(keys.map((key) => ({ sql, args: [key] })))),
  };
}

function size(connections: number): ArmPoolOptions {
  return { maxOpenConns: connections, maxIdleConns: connections };
}

/** The portable layer over the same driver, as a program opens it that does not know the driver. */
function openPortable(
  context: ScenarioContext,
  connections: number,
  connection: Parameters<typeof postgres>[1] = {},
): DB {
  const applicationName = context.pools.nextName();
  const connector = postgres(context.server.url, { applicationName, ...connection });
  const db = openDB(connector, {
    ...size(connections),
    acquireTimeoutMs: Infinity,
    connMaxLifetimeMs: Infinity,
    connMaxIdleTimeMs: Infinity,
  });
  context.defer(() => db.close());
  return db;
}

function warm(
  context: ScenarioContext,
  db: Pick<DB, "withConn">,
  connections: number,
  sql: string,
): Promise<void> {
  const { signal } = context;
  const use = <T>(run: Parameters<typeof db.withConn<T>>[0], until: AbortSignal): Promise<T> =>
    db.withConn(run, { signal: until });
  return warmUp({ use }, connections, sql, [1], signal);
}

const ITEMS = 1000;

function keyed(ask: (key: number) => Promise<unknown>): () => Promise<unknown> {
  let index = 0;
  return () => ask((index++ % ITEMS) + 1);
}

async function createTables(context: ScenarioContext): Promise<{ one: string; large: string }> {
  const { pools, schema } = context;
  const { watcher } = pools;
  const items = `${schema}.layer_items`;
  const columns = Array.from({ length: LARGE_COLUMNS }, (_, at) =>
    at % 2 === 0 ? `c${at + 1} int NOT NULL` : `c${at + 1} float8 NOT NULL`,
  );
  const values = Array.from({ length: LARGE_COLUMNS }, (_, at) =>
    at % 2 === 0 ? `n * ${at + 7919}` : `n / ${at + 7}.0`,
  );
  await watcher.exec(`CREATE TABLE ${items} (a int PRIMARY KEY, b int NOT NULL, c text NOT NULL)`);
  await watcher.exec(
    `INSERT INTO ${items} SELECT n, n, 'item ' || n FROM generate_series(1, ${ITEMS}) n`,
  );
  await watcher.exec(`CREATE TABLE ${schema}.layer_large (${columns.join(", ")})`);
  await watcher.exec(
    `INSERT INTO ${schema}.layer_large SELECT ${values.join(", ")} ` +
      `FROM generate_series(1, ${LARGE_ROWS}) n`,
  );
  await watcher.exec(`VACUUM ANALYZE ${items}`);
  await watcher.exec(`VACUUM ANALYZE ${schema}.layer_large`);
  return {
    one: `SELECT b, c FROM ${items} WHERE a = $1`,
    large: `SELECT * FROM ${schema}.layer_large`,
  };
}

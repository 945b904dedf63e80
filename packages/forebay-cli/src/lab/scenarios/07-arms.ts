// Scenario 7, how its arms run: the same statements through the driver alone, through the portable
// layer over it, and with what only the native layer has.

import { type DB, openDB } from "forebay";
import type { DriverConn } from "forebay/driver";
import { postgres } from "forebay/postgres";
import type { ChunkPlan, ChunkedTurn } from "../chunks.ts";
import { openNetwork, through } from "../server-address.ts";
import { type ArmPoolOptions, type LabDb, warmUp } from "../pools.ts";
import type { ScenarioContext } from "../scenario.ts";
import { closedTurn } from "../turn.ts";

/** The network of the far arms: a round trip takes twice this. */
export const DELAY_MS = 1;

/** Connections of the arms with many callers. */
export const CONNECTIONS = 4;
/** How many callers these have. */
export const CALLERS = 64;

/** Rows of a large result. */
export const LARGE_ROWS = 1000;
/** Its columns. */
export const LARGE_COLUMNS = 8;

/** Statements of a batch. */
export const BATCH = 10;

/** The guide's rate. */
export const GUIDE_PER_S = 10_000;

/** All numbers of a run. */
export interface LayersPlan {
  readonly rounds: number;
  /** With many callers: rounds, and requests of a turn. */
  readonly manyRounds: number;
  readonly manyRequests: number;
  readonly oneRow: ChunkPlan;
  readonly large: ChunkPlan;
  readonly batches: ChunkPlan;
}

/** Plans a run. */
export function planLayers({ isQuick }: Pick<ScenarioContext, "isQuick">): LayersPlan {
  return isQuick
    ? {
        rounds: 6,
        manyRounds: 24,
        manyRequests: 500,
        oneRow: { chunks: 30, requestsPerChunk: 10 },
        large: { chunks: 10, requestsPerChunk: 2 },
        batches: { chunks: 4, requestsPerChunk: 1 },
      }
    : {
        rounds: 8,
        manyRounds: 48,
        manyRequests: 1000,
        oneRow: { chunks: 100, requestsPerChunk: 10 },
        large: { chunks: 25, requestsPerChunk: 2 },
        batches: { chunks: 8, requestsPerChunk: 1 },
      };
}

/** The arms, by what is asked and how. */
export const ARMS = [
  "driver",
  "portable",
  "native",
  "socketPortable",
  "socketNative",
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

/** Arms that take turns in small pieces. */
export interface LayersGroup {
  readonly plan: "oneRow" | "large" | "batches";
  readonly arms: readonly LayersArm[];
}

/** Arms that are compared with each other. Those over a Unix socket where the server has one. */
export function groupsOf({ socketDir }: ScenarioContext["server"]): readonly LayersGroup[] {
  const overSocket: LayersArm[] = socketDir === undefined ? [] : ["socketPortable", "socketNative"];
  return [
    { plan: "oneRow", arms: ["driver", "portable", "native", ...overSocket] },
    { plan: "large", arms: ["largeText", "largeObjects", "largeArrays", "largeColumns"] },
    { plan: "batches", arms: ["nearOneByOne", "nearBatch"] },
    { plan: "batches", arms: ["farOneByOne", "farAtOnce", "farBatch"] },
  ];
}

/** The arms with many callers take a turn each. */
export const MANY: readonly ManyArm[] = ["portableMany", "pipelinedMany"];

/** The name of one of them. */
export type ManyArm = "portableMany" | "pipelinedMany";

/** One request of an arm. */
export type Operate = () => Promise<unknown>;

/** Runs one turn of an arm with many callers. Its time is that between two answers. */
export async function runMany(
  context: ScenarioContext,
  operate: Operate,
  requests: number,
): Promise<ChunkedTurn> {
  const turn = await closedTurn(context, {
    callers: CALLERS,
    requests,
    counts: "effect",
    operate: async () => {
      await operate();
    },
  });
  return {
    ...turn,
    timeMs: turn.durationMs / turn.requests,
    cpuMs: turn.clientCpuMs / turn.requests,
    backendCpuMs: undefined,
  };
}

interface Ask {
  query(sql: string, args: readonly unknown[]): Promise<unknown>;
}

/** Opens what all arms need; it stays open over all turns. */
export async function openLayers(context: ScenarioContext): Promise<Record<LayersArm, Operate>> {
  const sqls = await createTables(context);
  const one = await openOne(context, sqls.one);
  const socket = openOverSocket(context, sqls.one);
  const large = await openLarge(context, sqls.large);
  const near = await openBatches(context, sqls.one, { delayMs: 0, connections: 1 });
  const far = await openBatches(context, sqls.one, { delayMs: DELAY_MS, connections: BATCH });
  return {
    ...one,
    ...socket,
    ...large,
    nearOneByOne: near.oneByOne,
    nearBatch: near.batch,
    farOneByOne: far.oneByOne,
    farAtOnce: far.atOnce,
    farBatch: far.batch,
  };
}

type OneRowArm = "driver" | "portable" | "native" | "portableMany" | "pipelinedMany";

async function openOne(context: ScenarioContext, sql: string): Promise<Record<OneRowArm, Operate>> {
  const { pools, signal } = context;
  const driver: DriverConn = await pools.dial(signal);
  context.defer(async () => driver.close());
  const portable = openPortable(context, 1);
  const native = pools.openDb(size(1));
  const portableMany = openPortable(context, CONNECTIONS);
  const pipelined = pools.openDb({ ...size(CONNECTIONS), pipelining: { depth: CALLERS } });
  await warm(context, portableMany, CONNECTIONS, sql);
  await warm(context, pipelined, CONNECTIONS, sql);
  const row = (db: Ask): Operate => keyed((key) => db.query(sql, [key]));
  return {
    driver: row(driver),
    portable: row(portable),
    native: row(native),
    portableMany: row(portableMany),
    pipelinedMany: row(pipelined),
  };
}

type SocketArm = "socketPortable" | "socketNative";

function openOverSocket(context: ScenarioContext, sql: string): Record<SocketArm, Operate> {
  // Where there is no socket they are not run: see groupsOf.
  const { socketDir } = context.server;
  const connection = socketDir === undefined ? {} : { host: socketDir };
  const portable = openPortable(context, 1, connection);
  const native = context.pools.openDb({ ...size(1), connection });
  return {
    socketPortable: keyed((key) => portable.query(sql, [key])),
    socketNative: keyed((key) => native.query(sql, [key])),
  };
}

type LargeArm = "largeText" | "largeObjects" | "largeArrays" | "largeColumns";

async function openLarge(
  context: ScenarioContext,
  sql: string,
): Promise<Record<LargeArm, Operate>> {
  const portable = openPortable(context, 1);
  const text = openPortable(context, 1, { statementMode: "exec" });
  const native = context.pools.openDb(size(1));
  for (const db of [portable, text, native]) await db.query(sql);
  return {
    largeText: () => text.query(sql),
    largeObjects: () => portable.query(sql),
    largeArrays: () => portable.query(sql, [], { rowMode: "array" }),
    largeColumns: () => native.queryColumns(sql),
  };
}

async function openBatches(
  context: ScenarioContext,
  sql: string,
  how: { readonly delayMs: number; readonly connections: number },
): Promise<Record<"oneByOne" | "atOnce" | "batch", Operate>> {
  const connection = through(await openNetwork(context, how.delayMs));
  const portable = openPortable(context, how.connections, connection);
  const native: LabDb = context.pools.openDb({ ...size(1), connection });
  await warm(context, portable, how.connections, sql);
  await warm(context, native, 1, sql);
  const keys = Array.from({ length: BATCH }, (_, at) => at + 1);
  return {
    oneByOne: async () => {
      for (const key of keys) await portable.query(sql, [key]);
    },
    atOnce: () => Promise.all(keys.map((key) => portable.query(sql, [key]))),
    batch: () => native.batch(keys.map((key) => ({ sql, args: [key] }))),
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

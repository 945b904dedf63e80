// The pools that the arms of a scenario use, behind one face: Forebay's, and the model of
// database/sql's. Keeps track of what is open, so that every way out of a run closes it.

import type { DriverConn } from "forebay/driver";
import {
  openPostgres,
  postgres,
  type PostgresDB,
  type PostgresDBOptions,
  type PostgresOptions,
} from "forebay/postgres";
import { type GoRulesLimits, GoRulesPool } from "./go-rules.ts";
import type { LabRandom } from "./random.ts";

/** What a request does with its connection. */
export interface ArmConn {
  query(
    sql: string,
    args: readonly unknown[],
    options: { readonly signal: AbortSignal },
  ): Promise<{ readonly rows: readonly unknown[] }>;
}

/** Counters that both kinds of pool have. */
export interface ArmStats {
  readonly openConnections: number;
  /** Connections in somebody's hands. */
  readonly leased: number;
  readonly waitCount: number;
  /** Connections handed out, also those that then served nobody. */
  readonly acquireCount: number;
  readonly maxIdleClosed: number;
  readonly dialCount: number;
  readonly dialErrorCount: number;
}

/** A pool as an arm sees it. */
export interface ArmPool {
  /** The name under which its connections show in pg_stat_activity. */
  readonly applicationName: string;
  readonly maxIdleConns: number;
  use<T>(run: (conn: ArmConn) => Promise<T>, signal: AbortSignal): Promise<T>;
  stats(): ArmStats;
  close(): Promise<void>;
}

/** A `DB` of the lab. */
export type LabDb = PostgresDB;

/**
 * The options that arms set. What they leave out has no limit: neither the wait for a connection,
 * nor a connection's life and idleness. `connection` says what differs from the server's URL, such
 * as the port of a proxy.
 */
export type ArmPoolOptions = PostgresDBOptions & {
  readonly maxOpenConns: number;
  readonly maxIdleConns: number;
};

const APPLICATION = "forebay-lab";

/** Opens the pools of a run, and closes those that are left. */
export class LabPools {
  readonly #url: string;
  readonly #random: LabRandom;
  readonly #open = new Set<{ close(): Promise<void> }>();
  #opened = 0;
  #watcher: LabDb | undefined;

  constructor(url: string, random: LabRandom) {
    this.#url = url;
    this.#random = random;
  }

  /** A pool of one connection for looking at the server and for setting up; never for load. */
  get watcher(): LabDb {
    this.#watcher ??= this.#openDb(`${APPLICATION}-watcher`, { maxOpenConns: 1, maxIdleConns: 1 });
    return this.#watcher;
  }

  /**
   * A `DB` of its own, for arms that need more of it than a pool. The caller closes it, or
   * `closeArms` does. `applicationName` is how its connections show in pg_stat_activity; `url`
   * is another server's, of a scenario that starts its own.
   */
  openDb(
    options: ArmPoolOptions,
    applicationName: string = this.nextName(),
    url: string = this.#url,
  ): LabDb {
    const db = this.#openDb(applicationName, options, url);
    this.#open.add(db);
    return db;
  }

  /** Forebay's pool, as an arm. */
  openForebay(options: ArmPoolOptions): ArmPool {
    const applicationName = this.nextName();
    const db = this.#openDb(applicationName, options);
    const arm: ArmPool = {
      applicationName,
      maxIdleConns: options.maxIdleConns,
      use: (run, signal) => db.withConn(run, { signal }),
      stats: () => {
        const stats = db.stats();
        return {
          openConnections: stats.openConnections,
          leased: stats.pool.leased,
          waitCount: stats.waitCount,
          acquireCount: stats.pool.acquireCount,
          maxIdleClosed: stats.maxIdleClosed,
          dialCount: stats.pool.dialCount,
          dialErrorCount: stats.pool.dialErrorCount,
        };
      },
      close: async () => {
        this.#open.delete(arm);
        await db.close();
      },
    };
    this.#open.add(arm);
    return arm;
  }

  /**
   * The model of database/sql's pool, as an arm. `connection` is what differs from `url`, by
   * default the server's.
   */
  openGoRules(
    limits: GoRulesLimits,
    connection: PostgresOptions = {},
    url: string = this.#url,
  ): ArmPool {
    const applicationName = this.nextName();
    const connector = postgres(url, { applicationName, ...connection });
    const pool = new GoRulesPool(connector, limits, this.#random);
    const arm: ArmPool = {
      applicationName,
      maxIdleConns: limits.maxIdleConns,
      use: (run, signal) => pool.withConn(run, signal),
      stats: () => {
        const { inUse, ...stats } = pool.stats();
        return { ...stats, leased: inUse };
      },
      close: async () => {
        this.#open.delete(arm);
        await pool.close();
      },
    };
    this.#open.add(arm);
    return arm;
  }

  /** One connection without a pool, to time a dial. The caller closes it. */
  dial(signal: AbortSignal): Promise<DriverConn> {
    const connector = postgres(this.#url, { applicationName: `${APPLICATION}-dial` });
    return connector.connect({ signal, onLost: () => undefined });
  }

  /** Closes everything but the watcher. */
  async closeArms(): Promise<void> {
    await Promise.allSettled([...this.#open].map((pool) => pool.close()));
    this.#open.clear();
  }

  /** Closes everything. */
  async closeAll(): Promise<void> {
    await this.closeArms();
    await this.#watcher?.close();
  }

  #openDb(applicationName: string, options: ArmPoolOptions, url: string = this.#url): LabDb {
    return openPostgres(url, {
      acquireTimeoutMs: Infinity,
      connMaxLifetimeMs: Infinity,
      connMaxIdleTimeMs: Infinity,
      ...options,
      connection: { applicationName, ...options.connection },
    });
  }

  /** A name for the connections of one arm. */
  nextName(): string {
    this.#opened++;
    return `${APPLICATION}-${this.#opened}`;
  }
}

/**
 * Opens `count` connections at once and runs `sql` on each, so that what follows meets warm
 * connections. The connections are held until all are there.
 */
export async function warmUp(
  pool: Pick<ArmPool, "use">,
  count: number,
  sql: string,
  args: readonly unknown[],
  signal: AbortSignal,
): Promise<void> {
  let held = 0;
  let release: () => void = () => undefined;
  const all = new Promise<void>((resolve) => {
    release = resolve;
  });
  const one = (): Promise<void> =>
    pool.use(async (conn) => {
      if (++held === count) release();
      await all;
      await conn.query(sql, args, { signal });
    }, signal);
  const ends = Array.from({ length: count }, () =>
    one().catch((error: unknown) => {
      release();
      throw error;
    }),
  );
  for (const end of await Promise.allSettled(ends)) {
    if (end.status === "rejected") throw end.reason;
  }
}

/** A `DB` with this many connections, all open and warm. The caller closes it. */
export async function openWarmDb(
  pools: LabPools,
  connections: number,
  warmBy: { readonly sql: string; readonly args: readonly unknown[] },
  signal: AbortSignal,
): Promise<LabDb> {
  const db = pools.openDb({ maxOpenConns: connections, maxIdleConns: connections });
  const use: ArmPool["use"] = (run, until) => db.withConn(run, { signal: until });
  await warmUp({ use }, connections, warmBy.sql, warmBy.args, signal);
  return db;
}

// Scenario 14, what vacuum can do beside a session that is held: the holders, and one arm's run.

import type { Tx } from "forebay";
import type { PgConnection } from "forebay/postgres";
import { median } from "../compare.ts";
import type { LabDb } from "../pools.ts";
import { type ArmRole, type ScenarioContext, ScenarioNotPossible } from "../scenario.ts";

/** One way of holding a session. */
export interface HolderWay {
  readonly name: string;
  readonly role: ArmRole;
  readonly kind: "nobody" | "conn" | "tx";
  readonly isolation?: "read committed" | "repeatable read";
  /** What a transaction does first. @defaultValue it reads */
  readonly first?: "write" | "open rows";
  /** Whether it runs a query again between a rewrite and the vacuum. */
  readonly asksAgain: boolean;
  /** @defaultValue "extended", as all statements with parameters are sent */
  readonly protocol?: "simple";
}

/** Names the ways. */
export type HolderKey =
  | "nobody"
  | "conn"
  | "read"
  | "again"
  | "simple"
  | "rows"
  | "write"
  | "repeatable";

/** The ways, in the order of the report. */
export const HOLDERS: Readonly<Record<HolderKey, HolderWay>> = {
  nobody: {
    name: "nobody holds a session",
    role: "negative control",
    kind: "nobody",
    asksAgain: false,
  },
  conn: { name: "Conn with an advisory lock", role: "change", kind: "conn", asksAgain: true },
  read: {
    name: "Tx that has read and rests",
    role: "baseline",
    kind: "tx",
    isolation: "read committed",
    asksAgain: false,
  },
  again: {
    name: "Tx that has read and reads again before each vacuum",
    role: "variant",
    kind: "tx",
    isolation: "read committed",
    asksAgain: true,
  },
  simple: {
    name: "Tx that has read by the simple protocol and rests",
    role: "variant",
    kind: "tx",
    isolation: "read committed",
    asksAgain: false,
    protocol: "simple",
  },
  rows: {
    name: "Tx with rows half read",
    role: "variant",
    kind: "tx",
    isolation: "read committed",
    first: "open rows",
    asksAgain: true,
  },
  write: {
    name: "Tx that has written",
    role: "baseline",
    kind: "tx",
    isolation: "read committed",
    first: "write",
    asksAgain: true,
  },
  repeatable: {
    name: "Tx that has read in repeatable read",
    role: "baseline",
    kind: "tx",
    isolation: "repeatable read",
    asksAgain: true,
  },
};

/** The keys, in the order of the report. */
export const HOLDER_KEYS: readonly HolderKey[] = [
  "nobody",
  "conn",
  "read",
  "again",
  "simple",
  "rows",
  "write",
  "repeatable",
];

/** A session that is held. */
interface Holder {
  readonly pid: number;
  /** One query on it; gives the process that ran it. */
  work(): Promise<number>;
  end(): Promise<void>;
}

/** What one arm gave. */
export interface VacuumTurn {
  /** Dead rows that came to be while the session was held, and those that vacuum removed. */
  readonly dead: number;
  readonly removed: number;
  /** Dead rows that vacuum saw at last and could not remove. */
  readonly kept: number;
  /** Bytes of the table after each rewrite, over those before the first. */
  readonly growth: readonly number[];
  /** A scan of the table in the end. */
  readonly scanMs: number;
  /** How the session looked between two of its queries, by its state in pg_stat_activity. */
  readonly states: Readonly<Record<string, number>>;
  /** How often it had a transaction id, or a snapshot that holds the horizon. */
  readonly withXid: number;
  readonly withXmin: number;
  /** Server processes that ran the holder's queries. */
  readonly processes: number;
  /** Whether a table that the holder had read could be locked for a change of its columns. */
  readonly isDdlFree: boolean;
}

/** How large an arm is. */
export interface VacuumSize {
  readonly rows: number;
  readonly rewrites: number;
}

const KEY = 14_001;

/** Makes the table that holders read and write. The one that vacuum is about is made anew. */
export async function prepareHeld({ pools, schema }: ScenarioContext): Promise<void> {
  await pools.watcher.exec(`CREATE TABLE ${schema}.held_items (a int PRIMARY KEY, b int NOT NULL)`);
  await pools.watcher.exec(
    `INSERT INTO ${schema}.held_items SELECT n, n FROM generate_series(1, 5000) n`,
  );
}

/** Runs one arm: rewrites a table again and again, and vacuums it, while the session is held. */
export async function runHolder(
  context: ScenarioContext,
  keeper: Keeper,
  way: HolderWay,
  size: VacuumSize,
): Promise<VacuumTurn> {
  const table = `${context.schema}.rewritten`;
  await keeper.exec(`DROP TABLE IF EXISTS ${table}`);
  await keeper.exec(
    `CREATE TABLE ${table} AS SELECT n AS a, n AS b, repeat('x', 100) AS c ` +
      `FROM generate_series(1, ${size.rows}) n`,
  );
  // CREATE TABLE leaves pages at the end that are not used yet.
  await keeper.exec(`VACUUM FULL ${table}`);
  const bytesBefore = await keeper.bytes(table);
  const db = context.pools.openDb({
    maxOpenConns: 1,
    maxIdleConns: 1,
    ...(way.protocol === "simple" ? { connection: { statementMode: "simple" } } : {}),
  });
  const holder = await hold(context, db, way);
  const states: Record<string, number> = {};
  const processes = new Set<number>(holder === undefined ? [] : [holder.pid]);
  const growth: number[] = [];
  let withXid = 0;
  let withXmin = 0;
  let removed = 0;
  let kept = 0;
  try {
    for (let rewrite = 0; rewrite < size.rewrites; rewrite++) {
      context.signal.throwIfAborted();
      await keeper.exec(`UPDATE ${table} SET b = b + 1`);
      if (holder !== undefined) {
        if (way.asksAgain) processes.add(await holder.work());
        const seen = await keeper.look(holder.pid);
        states[seen.state] = (states[seen.state] ?? 0) + 1;
        withXid += seen.has_xid ? 1 : 0;
        withXmin += seen.has_xmin ? 1 : 0;
      }
      const said = await keeper.vacuum(table);
      removed += said.removed;
      kept = said.kept;
      growth.push((await keeper.bytes(table)) / bytesBefore);
    }
    return {
      dead: size.rows * size.rewrites,
      removed,
      kept,
      growth,
      scanMs: await keeper.scan(context, table),
      states,
      withXid,
      withXmin,
      processes: processes.size,
      isDdlFree: await keeper.canLock(`${context.schema}.held_items`),
    };
  } finally {
    await holder?.end();
    await db.close();
  }
}

async function hold(
  { schema, signal }: ScenarioContext,
  db: LabDb,
  way: HolderWay,
): Promise<Holder | undefined> {
  const items = `${schema}.held_items`;
  const read = `SELECT pg_backend_pid() AS pid FROM ${items} WHERE a = 1`;
  if (way.kind === "nobody") return undefined;
  if (way.kind === "conn") {
    const conn = await db.conn({ signal });
    const ask = async (): Promise<number> => (await conn.queryRow<{ pid: number }>(read)).pid;
    await conn.exec("SELECT pg_advisory_lock($1)", [KEY]);
    const end = async (): Promise<void> => {
      await conn.exec("SELECT pg_advisory_unlock($1)", [KEY]);
      await conn.close();
    };
    return { pid: await ask(), work: ask, end };
  }
  const tx = await db.begin({ isolation: way.isolation, signal });
  const ask = async (): Promise<number> => (await tx.queryRow<{ pid: number }>(read)).pid;
  const pid = await ask();
  if (way.first === "write") await tx.exec(`UPDATE ${items} SET b = b + 1 WHERE a = 1`);
  if (way.first === "open rows") return holdRows(tx, items, pid);
  return { pid, work: ask, end: () => tx.rollback() };
}

/** A result of which the next row is read now and then. */
async function holdRows(tx: Tx<PgConnection>, items: string, pid: number): Promise<Holder> {
  const rows = tx.rows<{ pid: number }>(`SELECT pg_backend_pid() AS pid FROM ${items}`);
  await rows.next();
  return {
    pid,
    work: async () => (await rows.next()).value?.pid ?? 0,
    end: async () => {
      await rows.close();
      await tx.rollback();
    },
  };
}

/** What a session looks like from outside. */
interface Seen {
  readonly state: string;
  readonly has_xid: boolean;
  readonly has_xmin: boolean;
}

const LOOK_SQL = `
  SELECT coalesce(state, 'unknown') AS state, backend_xid IS NOT NULL AS has_xid,
    backend_xmin IS NOT NULL AS has_xmin
  FROM pg_stat_activity WHERE pid = $1`;

/** What VACUUM (VERBOSE) said. */
export interface Vacuumed {
  readonly removed: number;
  readonly kept: number;
}

/** Reads what VACUUM (VERBOSE) says, of PostgreSQL 15 and later, and of 14 and earlier. */
export function parseVacuum(notices: readonly string[]): Vacuumed | undefined {
  const text = notices.join("\n");
  const now = /tuples: (\d+) removed, \d+ remain, (\d+) are dead but not yet removable/.exec(text);
  if (now !== null) return { removed: Number(now[1]), kept: Number(now[2]) };
  const found = /found (\d+) removable, \d+ nonremovable row versions/.exec(text);
  const dead = /(\d+) dead row versions cannot be removed yet/.exec(text);
  if (found === null || dead === null) return undefined;
  return { removed: Number(found[1]), kept: Number(dead[1]) };
}

/** The session that writes, vacuums and looks. */
export class Keeper {
  readonly #db: LabDb;
  readonly #notices: string[] = [];

  constructor({ pools }: ScenarioContext) {
    this.#db = pools.openDb({
      maxOpenConns: 1,
      maxIdleConns: 1,
      hooks: {
        // What vacuum says is read, so it should be in English; who may not ask for it gets what
        // there is.
        afterConnect: async (conn) => {
          await conn.query("SET lc_messages = 'C'", []).catch(() => undefined);
        },
      },
      connection: {
        onNotice: ({ message, detail }) => this.#notices.push(`${message}\n${detail ?? ""}`),
      },
    });
  }

  async exec(sql: string): Promise<void> {
    await this.#db.exec(sql);
  }

  /**
   * Without giving pages back to the system, for which it would wait for those who have the table
   * open.
   */
  async vacuum(table: string): Promise<Vacuumed> {
    this.#notices.length = 0;
    await this.#db.exec(`VACUUM (VERBOSE, TRUNCATE false) ${table}`);
    const said = parseVacuum(this.#notices);
    if (said !== undefined) return said;
    throw new ScenarioNotPossible("What VACUUM (VERBOSE) says on this server cannot be read.");
  }

  async bytes(table: string): Promise<number> {
    const sql = "SELECT pg_relation_size($1::regclass)::float8 AS bytes";
    return (await this.#db.queryRow<{ bytes: number }>(sql, [table])).bytes;
  }

  look(pid: number): Promise<Seen> {
    return this.#db.queryRow<Seen>(LOOK_SQL, [pid]);
  }

  /** How long reading the whole table takes. */
  async scan({ clock }: ScenarioContext, table: string): Promise<number> {
    const times: number[] = [];
    for (let scan = 0; scan < 5; scan++) {
      const beganAtMs = clock.nowMs();
      await this.#db.exec(`SELECT count(*) FROM ${table}`);
      times.push(clock.nowMs() - beganAtMs);
    }
    return median(times);
  }

  /** Whether the table can be had for a change of its columns within 50 ms. */
  async canLock(table: string): Promise<boolean> {
    try {
      await this.#db.transaction(async (tx) => {
        await tx.exec("SET LOCAL lock_timeout = 50");
        await tx.exec(`LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE`);
      });
      return true;
    } catch (error) {
      if ((error as { code?: unknown }).code === "55P03") return false;
      throw error;
    }
  }
}

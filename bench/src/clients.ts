// The clients that are compared on point selects, each behind one function that reads the balance
// of one account. All use prepared statements. Each is loaded only where it is measured: not all of
// them run on every runtime.

import { type Access, POINT_SELECT } from "./access.ts";

/** A client to be measured. */
export interface Client {
  balance(aid: number): Promise<number>;
  close(): Promise<void>;
}

/** The clients that a worker can open, by name. */
export type ClientName =
  | "forebay pipelined"
  | "forebay native"
  | "forebay portable"
  | "forebay Stmt"
  | "wire floor"
  | "pipelined floor"
  | "Bun.SQL"
  | "pg"
  | "postgres.js";

type Open = (access: Access, connections: number) => Promise<Client> | Client;

interface Row {
  readonly abalance: number;
}

const OPENERS: Readonly<Record<ClientName, Open>> = {
  "forebay pipelined": (access, connections) =>
    forebayNative(access, connections, { depth: DEPTH }),
  "forebay native": (access, connections) => forebayNative(access, connections, false),
  "forebay portable": forebayPortable,
  "forebay Stmt": forebayStmt,
  "wire floor": wireFloor,
  "pipelined floor": pipelinedFloor,
  "Bun.SQL": bunSql,
  pg: nodePostgres,
  "postgres.js": postgresJs,
};

/** Statements under way on one connection, where callers share connections. */
const DEPTH = 64;

/** Opens a client with this many connections. */
export async function openClient(
  name: ClientName,
  access: Access,
  connections: number,
): Promise<Client> {
  return await OPENERS[name](access, connections);
}

async function forebayNative(
  access: Access,
  connections: number,
  pipelining: { readonly depth: number } | false,
): Promise<Client> {
  const { openPostgres } = await import("forebay/postgres");
  const { host, port, user, password, database } = access;
  const target = { host, port, user, password, database, sslMode: "disable" } as const;
  const db = openPostgres(target, { maxOpenConns: connections, pipelining });
  return {
    balance: async (aid) => (await db.queryRow<Row>(POINT_SELECT, [aid])).abalance,
    close: () => db.close(),
  };
}

async function openPortable(access: Access, connections: number) {
  const { openDB } = await import("forebay");
  const { postgres } = await import("forebay/postgres");
  const { host, port, user, password, database } = access;
  const connector = postgres({ host, port, user, password, database, sslMode: "disable" });
  return openDB(connector, { maxOpenConns: connections });
}

async function forebayPortable(access: Access, connections: number): Promise<Client> {
  const db = await openPortable(access, connections);
  return {
    balance: async (aid) => (await db.queryRow<Row>(POINT_SELECT, [aid])).abalance,
    close: () => db.close(),
  };
}

async function forebayStmt(access: Access, connections: number): Promise<Client> {
  const db = await openPortable(access, connections);
  const stmt = await db.prepare(POINT_SELECT);
  return {
    balance: async (aid) => (await stmt.queryRow<Row>([aid])).abalance,
    close: () => db.close(),
  };
}

async function wireFloor(access: Access, connections: number): Promise<Client> {
  const { Floor } = await import("./floor.ts");
  const floor = await Floor.open(access, connections);
  return {
    balance: (aid) => floor.query(aid),
    close: async () => floor.close(),
  };
}

async function pipelinedFloor(access: Access, connections: number): Promise<Client> {
  const { PipelinedFloor } = await import("./floor-pipelined.ts");
  const floor = await PipelinedFloor.open(access, connections);
  return {
    balance: (aid) => floor.query(aid),
    close: async () => floor.close(),
  };
}

async function bunSql(access: Access, connections: number): Promise<Client> {
  const { openBunSql } = await import("./bun-sql.ts");
  const sql = openBunSql(access, connections);
  return {
    balance: async (aid) => {
      const [row] = await sql<Row>`select abalance from pgbench_accounts where aid = ${aid}`;
      return row?.abalance ?? Number.NaN;
    },
    close: () => sql.close(),
  };
}

async function nodePostgres(access: Access, connections: number): Promise<Client> {
  const { default: pg } = await import("pg");
  const { host, port, user, password, database } = access;
  const pool = new pg.Pool({ host, port, user, password, database, max: connections });
  const query = { name: "balance", text: POINT_SELECT };
  return {
    balance: async (aid) => {
      const { rows } = await pool.query<Row>({ ...query, values: [aid] });
      return rows[0]?.abalance ?? Number.NaN;
    },
    close: () => pool.end(),
  };
}

async function postgresJs(access: Access, connections: number): Promise<Client> {
  const { default: postgres } = await import("postgres");
  const { host, port, user: username, password, database } = access;
  const sql = postgres({ host, port, username, password, database, max: connections });
  return {
    balance: async (aid) => {
      const [row] = await sql<Row[]>`select abalance from pgbench_accounts where aid = ${aid}`;
      return row?.abalance ?? Number.NaN;
    },
    close: () => sql.end(),
  };
}

// The clients that are compared on a real server, each behind one function that reads the balance
// of one account. All use prepared statements.

import { openDB } from "forebay";
import { postgres as forebayPostgres } from "forebay/postgres";
import pg from "pg";
import postgres from "postgres";
import { type Access, POINT_SELECT } from "./accounts.ts";
import { Floor } from "./floor.ts";

/** A client to be measured. */
export interface Client {
  balance(aid: number): Promise<number>;
  close(): Promise<void>;
}

/** The clients by name. */
export type ClientName = "forebay Stmt" | "forebay queryRow" | "wire floor" | "pg" | "postgres.js";

/** Ours first. */
export const CLIENTS: readonly ClientName[] = [
  "forebay Stmt",
  "forebay queryRow",
  "wire floor",
  "pg",
  "postgres.js",
];

interface Row {
  readonly abalance: number;
}

/** Opens a client with this many connections. */
export async function openClient(
  name: ClientName,
  access: Access,
  connections: number,
): Promise<Client> {
  switch (name) {
    case "forebay Stmt":
      return await forebayStmt(access, connections);
    case "forebay queryRow":
      return forebayQueryRow(access, connections);
    case "wire floor":
      return await wireFloor(access, connections);
    case "pg":
      return nodePostgres(access, connections);
    case "postgres.js":
      return postgresJs(access, connections);
    default:
      return name satisfies never;
  }
}

function openForebay(access: Access, connections: number) {
  const { host, port, user, password, database } = access;
  const connector = forebayPostgres({ host, port, user, password, database, sslMode: "disable" });
  return openDB(connector, { maxOpenConns: connections });
}

async function forebayStmt(access: Access, connections: number): Promise<Client> {
  const db = openForebay(access, connections);
  const stmt = await db.prepare(POINT_SELECT);
  return {
    balance: async (aid) => (await stmt.queryRow<Row>([aid])).abalance,
    close: () => db.close(),
  };
}

function forebayQueryRow(access: Access, connections: number): Client {
  const db = openForebay(access, connections);
  return {
    balance: async (aid) => (await db.queryRow<Row>(POINT_SELECT, [aid])).abalance,
    close: () => db.close(),
  };
}

async function wireFloor(access: Access, connections: number): Promise<Client> {
  const floor = await Floor.open(access, connections);
  return {
    balance: (aid) => floor.query(aid),
    close: async () => floor.close(),
  };
}

function nodePostgres(access: Access, connections: number): Client {
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

function postgresJs(access: Access, connections: number): Client {
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

// The servers of the benchmarks that need one, started for the run, each with its table.

import pg from "pg";
import { type EmbeddedServer, startEmbedded } from "../../packages/forebay-cli/src/server/index.ts";
import type { Access } from "./access.ts";

export { type Access, accessFromEnvironment, environmentOf, POINT_SELECT } from "./access.ts";

/** A running server with its table. The caller must `stop` the server. */
export interface Accounts {
  readonly server: EmbeddedServer;
  readonly access: Access;
}

const FLOOR_USER = "forebay_floor";

/** Starts a server without fsync and without TLS on loopback TCP, with pgbench's accounts. */
export function startAccounts(rows: number, signal: AbortSignal): Promise<Accounts> {
  return startWith(rows, signal, [
    "create table pgbench_accounts (aid int not null, bid int, abalance int, filler char(84))",
    `insert into pgbench_accounts
       select aid, (aid - 1) / 100000 + 1, 0, '' from generate_series(1, ${rows}) as aid`,
    "alter table pgbench_accounts add primary key (aid)",
    "vacuum analyze pgbench_accounts",
  ]);
}

/**
 * The same server with the table `bench_rows`: eight columns, of the types that most tables are
 * made of.
 */
export function startRows(rows: number, signal: AbortSignal): Promise<Accounts> {
  return startWith(rows, signal, [
    `create table bench_rows (id int4, bucket int4, score float8, is_open bool, name text,
       note text, made_at timestamptz, total int8)`,
    `insert into bench_rows
       select n, n * 7 % 1000, n * 0.37, n % 2 = 0, 'name ' || n, 'note ' || md5(n::text),
         timestamptz '2026-01-01Z' + n * interval '1250 ms', n::int8 * 1000003
       from generate_series(1, ${rows}) as n`,
    "vacuum analyze bench_rows",
  ]);
}

/** The same server with what these statements make. `rows` is only handed on. */
export async function startWith(
  rows: number,
  signal: AbortSignal,
  statements: readonly string[],
): Promise<Accounts> {
  const server = await startEmbedded({
    signal,
    maxConnections: 150,
    hba: [
      `host all ${FLOOR_USER} 127.0.0.1/32 password`,
      "hostnossl all all 127.0.0.1/32 scram-sha-256",
    ],
    settings: { fsync: false, shared_buffers: "256MB", autovacuum: false },
  });
  try {
    const { host, port, user, password } = server;
    const where = { host, port, user, password, database: "postgres" };
    const client = new pg.Client(where);
    await client.connect();
    try {
      await fill(client, password, statements);
    } finally {
      await client.end();
    }
    return { server, access: { ...where, rows, floorUser: FLOOR_USER } };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

async function fill(client: pg.Client, password: string, statements: readonly string[]) {
  for (const statement of statements) await client.query(statement);
  const secret = client.escapeLiteral(password);
  await client.query(`create role ${FLOOR_USER} login password ${secret}`);
  await client.query(`grant pg_read_all_data to ${FLOOR_USER}`);
}

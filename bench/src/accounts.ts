// The server and the table of the benchmarks that need one: pgbench's accounts, on a PostgreSQL
// that was started for the run.

import pg from "pg";
import { type EmbeddedServer, startEmbedded } from "../../packages/forebay-cli/src/server/index.ts";

/** How a worker reaches the table. Handed over in the environment. */
export interface Access {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  readonly rows: number;
  /**
   * A role for the wire floor, which speaks no SCRAM: its password goes over the loopback in the
   * clear.
   */
  readonly floorUser: string;
}

/** A running server with the table in it. The caller must `stop` the server. */
export interface Accounts {
  readonly server: EmbeddedServer;
  readonly access: Access;
}

/** The statement of a point select. */
export const POINT_SELECT: string = "select abalance from pgbench_accounts where aid = $1";

const FLOOR_USER = "forebay_floor";
const ENVIRONMENT_NAME = "FOREBAY_BENCH_ACCESS";

/** Starts a server without fsync and without TLS on loopback TCP, and fills the table. */
export async function startAccounts(rows: number, signal: AbortSignal): Promise<Accounts> {
  const server = await startEmbedded({
    signal,
    hba: [
      `host all ${FLOOR_USER} 127.0.0.1/32 password`,
      "hostnossl all all 127.0.0.1/32 scram-sha-256",
    ],
    settings: { fsync: false, shared_buffers: "256MB", autovacuum: false },
  });
  try {
    const access: Access = {
      host: server.host,
      port: server.port,
      user: server.user,
      password: server.password,
      database: "postgres",
      rows,
      floorUser: FLOOR_USER,
    };
    await fill(access);
    return { server, access };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

async function fill(access: Access): Promise<void> {
  const { host, port, user, password, database, rows } = access;
  const client = new pg.Client({ host, port, user, password, database });
  await client.connect();
  try {
    await client.query(`
      create table pgbench_accounts (aid int not null, bid int, abalance int, filler char(84));
      insert into pgbench_accounts
        select aid, (aid - 1) / 100000 + 1, 0, '' from generate_series(1, ${rows}) as aid;
      alter table pgbench_accounts add primary key (aid)`);
    await client.query("vacuum analyze pgbench_accounts");
    const secret = client.escapeLiteral(password);
    await client.query(`create role ${FLOOR_USER} login password ${secret}`);
    await client.query(`grant select on pgbench_accounts to ${FLOOR_USER}`);
  } finally {
    await client.end();
  }
}

/** What a worker must find in its environment. */
export function environmentOf(access: Access): Record<string, string> {
  return { [ENVIRONMENT_NAME]: JSON.stringify(access) };
}

/** What the parent has handed over. */
export function accessFromEnvironment(): Access {
  return JSON.parse(process.env[ENVIRONMENT_NAME] ?? "{}") as Access;
}

// The lab's own schema: made at the start, dropped on every way out, so that nothing of the lab
// stays on the server.

import { randomBytes } from "node:crypto";
import { coresOf, coresOfMachine } from "../server/affinity.ts";
import type { LabServer, ServerFacts } from "./scenario.ts";
import { parentPid } from "./machine.ts";
import type { LabDb } from "./pools.ts";

/** Makes the lab's schema and returns its name, which needs no quotes. */
export async function createSchema(watcher: LabDb): Promise<string> {
  const schema = `forebay_lab_${randomBytes(6).toString("hex")}`;
  await watcher.exec(`CREATE SCHEMA ${schema}`);
  return schema;
}

/** Drops the lab's schema with all that is in it. Rejects with `signal.reason` on abort. */
export async function dropSchema(
  watcher: LabDb,
  schema: string,
  signal: AbortSignal,
): Promise<void> {
  await watcher.exec(`DROP SCHEMA IF EXISTS ${schema} CASCADE`, [], { signal });
}

interface FactsRow {
  version: string;
  max_connections: number;
  reserved: number;
  others: number;
  role_limit: number;
  database_limit: number;
  is_tls: boolean;
  authentication: string;
  is_durable: boolean;
  pid: number;
}

const FACTS_SQL = `
  SELECT current_setting('server_version') AS version,
    current_setting('max_connections')::int AS max_connections,
    CASE WHEN r.rolsuper THEN 0 ELSE current_setting('superuser_reserved_connections')::int
      + coalesce(current_setting('reserved_connections', true)::int, 0) END AS reserved,
    (SELECT count(*)::int FROM pg_stat_activity
      WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()) AS others,
    r.rolconnlimit AS role_limit,
    d.datconnlimit AS database_limit,
    coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false) AS is_tls,
    current_setting('fsync')::bool
      AND current_setting('synchronous_commit') NOT IN ('off') AS is_durable,
    pg_backend_pid() AS pid
  FROM pg_roles r, pg_database d
  WHERE r.rolname = current_user AND d.datname = current_database()`;

/** The share of its free connections that the lab takes from a server that is not its own. */
export const BUDGET_RATIO: number = 0.5;

/** Asks the server what the scenarios need to know. */
export async function readFacts(watcher: LabDb, server: LabServer): Promise<ServerFacts> {
  const row = await watcher.queryRow<FactsRow>(FACTS_SQL);
  const limits = [row.max_connections - row.reserved - row.others];
  if (row.role_limit >= 0) limits.push(row.role_limit);
  if (row.database_limit >= 0) limits.push(row.database_limit);
  const free = Math.max(0, Math.min(...limits));
  const own = server.kind === "embedded";
  const budget = Math.max(0, own ? free - 1 : Math.floor(free * BUDGET_RATIO) - 1);
  const postmasterPid = own ? await parentPid(row.pid) : undefined;
  return {
    version: row.version,
    maxConnections: row.max_connections,
    freeConnections: free,
    budget,
    budgetNote: own
      ? `The server was started for the lab: all ${free} connections may be used.`
      : `The server is not the lab's own: of its ${free} free connections the lab uses at most ` +
        `${budget + 1}, and it never drives the server into its limit.`,
    isTls: row.is_tls,
    authentication: await readAuthentication(watcher, row.version),
    isDurable: row.is_durable,
    cores: postmasterPid === undefined ? coresOfMachine() : coresOf(postmasterPid),
    ...(postmasterPid === undefined ? {} : { postmasterPid }),
  };
}

/**
 * `system_user` is `method:identity`, from PostgreSQL 16 on; empty before, and where the server
 * trusts anyone.
 */
async function readAuthentication(watcher: LabDb, version: string): Promise<string> {
  if (Number.parseInt(version, 10) < 16) return "";
  const { rows } = await watcher.query<{ who: string | null }>("SELECT system_user AS who");
  return rows[0]?.who?.split(":", 1)[0] ?? "";
}

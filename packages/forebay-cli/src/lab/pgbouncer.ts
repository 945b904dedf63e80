// A real PgBouncer in front of the lab's server, as a process of this run: with a database for each
// mode of pooling. The custodian sees to it that it ends with this process.

import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { serverAccount, temporaryDirectory } from "../server/account.ts";
import { Custodian, type Running } from "../server/custodian.ts";
import { freePort } from "../server/embedded.ts";
import { findProgram, untilItAccepts } from "./program.ts";
import { type ScenarioContext, ScenarioNotPossible } from "./scenario.ts";

/** How PgBouncer shares its connections to the server. */
export type PoolerMode = "session" | "transaction";

/** A PgBouncer that runs. */
export interface PgBouncer {
  /** Such as `1.25`. */
  readonly version: string;
  /** Whether it follows prepared statements from one session of the server to another. */
  readonly followsStatements: boolean;
  /**
   * What of a connection differs from the server's own. The way to the pooler has no TLS, that from
   * it to the server has.
   */
  connection(mode: PoolerMode): PoolerConnection;
}

/** Options of a connection through the pooler. */
export interface PoolerConnection {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly sslMode: "disable";
}

/** How it is set up. */
export interface PgBouncerOptions {
  /** The most connections to the server, for each mode (`default_pool_size`). */
  readonly poolSize: number;
}

const HOST = "127.0.0.1";

/** The program's file; `undefined` where it is not installed. */
export function findPgBouncer(): string | undefined {
  return findProgram("pgbouncer");
}

/** Said where the program is not there. */
export const PGBOUNCER_MISSING =
  "It needs the program pgbouncer, which is not installed: the Debian package is pgbouncer.";

/**
 * Starts one on a free port of 127.0.0.1; it ends with the scenario. Only for a server of the lab's
 * own: its password goes into a file. Throws `ScenarioNotPossible` where the program is missing or
 * does not start.
 */
export async function startPgBouncer(
  context: ScenarioContext,
  options: PgBouncerOptions,
): Promise<PgBouncer> {
  const program = findPgBouncer();
  if (program === undefined) throw new ScenarioNotPossible(PGBOUNCER_MISSING, "pgbouncer");
  const version = versionOf(program);
  const followsStatements = isAtLeast(version, 1, 21);
  const account = serverAccount();
  const custodian = await Custodian.open(temporaryDirectory(account));
  context.defer(() => custodian.close());
  const behind = new URL(context.server.url);
  const user = decodeURIComponent(behind.username);
  const password = decodeURIComponent(behind.password);
  const port = await freePort();
  if (account !== undefined) fs.chownSync(custodian.directory, account.uid, account.gid);
  const write = (name: string, text: string): string => {
    const file = path.join(custodian.directory, name);
    fs.writeFileSync(file, text, { mode: 0o600 });
    if (account !== undefined) fs.chownSync(file, account.uid, account.gid);
    return file;
  };
  const users = write("users.txt", `${quoted(user)} ${quoted(password)}\n`);
  const config = configOf({ behind, port, users, followsStatements, ...options });
  const log = write("pgbouncer.log", "");
  const running = await custodian.run({
    file: program,
    args: [write("pgbouncer.ini", config)],
    env: { PATH: process.env["PATH"] },
    log,
    account,
  });
  custodian.unref();
  // At once: what the custodian sends first would let clients finish.
  context.defer(() => Promise.resolve(process.kill(running.pid, "SIGTERM")));
  await untilReady(context, running, port, log);
  return {
    version,
    followsStatements,
    connection: (mode) => ({ host: HOST, port, database: mode, sslMode: "disable" }),
  };
}

interface Config extends PgBouncerOptions {
  readonly behind: URL;
  readonly port: number;
  readonly users: string;
  readonly followsStatements: boolean;
}

function configOf({ behind, port, users, followsStatements, poolSize }: Config): string {
  const target =
    `host=${behind.hostname} port=${behind.port === "" ? 5432 : behind.port} ` +
    `dbname=${behind.pathname.slice(1)}`;
  return [
    "[databases]",
    `session = ${target} pool_mode=session`,
    `transaction = ${target} pool_mode=transaction`,
    "[pgbouncer]",
    `listen_addr = ${HOST}`,
    `listen_port = ${port}`,
    "unix_socket_dir =",
    "auth_type = scram-sha-256",
    `auth_file = ${users}`,
    "server_tls_sslmode = prefer",
    `default_pool_size = ${poolSize}`,
    "max_client_conn = 500",
    ...(followsStatements ? ["max_prepared_statements = 100"] : []),
    "",
  ].join("\n");
}

function quoted(text: string): string {
  return `"${text.replaceAll('"', '""')}"`;
}

function versionOf(program: string): string {
  const { stdout } = spawnSync(program, ["--version"], { encoding: "utf8" });
  return /(\d+\.\d+)/.exec(stdout)?.[1] ?? "unknown";
}

/** Whether a version such as `1.21` is that one or a later one. */
export function isAtLeast(version: string, major: number, minor: number): boolean {
  const [has = 0, and = 0] = version.split(".").map(Number);
  return has > major || (has === major && and >= minor);
}

async function untilReady(
  context: ScenarioContext,
  running: Running,
  port: number,
  log: string,
): Promise<void> {
  if ((await untilItAccepts(context, port, running.ended)) === "accepts") return;
  const said = fs.readFileSync(log, "utf8").trim().split("\n").at(-1) ?? "";
  throw new ScenarioNotPossible(`PgBouncer did not start: ${said}`);
}

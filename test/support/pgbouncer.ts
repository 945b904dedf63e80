// A PgBouncer for tests, in front of the server of the run: one process, with a database for each
// mode of pooling.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { chownSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import {
  serverAccount,
  temporaryDirectory,
} from "../../packages/forebay-cli/src/server/account.ts";

/** Where distributions put it, beside what PATH says. */
const FOLDERS = [...(process.env["PATH"] ?? "").split(":"), "/usr/sbin", "/usr/local/sbin"];

/** The program; `undefined` where it is not installed. */
export const PGBOUNCER: string | undefined = FOLDERS.map((folder) =>
  join(folder, "pgbouncer"),
).find((file) => existsSync(file));

/** What a test of poolers is called where it is skipped, so that everybody sees why. */
export const NEEDS_PGBOUNCER =
  PGBOUNCER === undefined ? "(skipped: PgBouncer is missing, `apt-get install pgbouncer`)" : "";

/** How PgBouncer shares its connections to the server; also the names of its databases here. */
export type PoolMode = "session" | "transaction" | "statement";

/** The server behind it. */
export interface Behind {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
}

/** A PgBouncer that runs. */
export interface PgBouncer {
  /** Whether it follows prepared statements from one connection of the server to another. */
  readonly followsStatements: boolean;
  url(mode: PoolMode): string;
  stop(): Promise<void>;
}

/** Starts it on a free port. `lines` are settings, and go after the usual ones. */
export async function startPgBouncer(
  behind: Behind,
  lines: readonly string[] = [],
): Promise<PgBouncer> {
  if (PGBOUNCER === undefined) throw new Error("PgBouncer is not installed");
  const account = serverAccount();
  const directory = mkdtempSync(join(temporaryDirectory(account), "forebay-pgbouncer-"));
  const followsStatements = versionOf(PGBOUNCER) >= 121;
  const port = await freePort();
  const file = (name: string, text: string): string => {
    const path = join(directory, name);
    writeFileSync(path, text, { mode: 0o600 });
    if (account !== undefined) chownSync(path, account.uid, account.gid);
    return path;
  };
  if (account !== undefined) chownSync(directory, account.uid, account.gid);
  const users = file("users.txt", `"${behind.user}" "${behind.password}"\n`);
  const log = file("log", "");
  const config = [
    "[databases]",
    ...(["session", "transaction", "statement"] as const).map(
      (mode) =>
        `${mode} = host=${behind.host} port=${behind.port} dbname=postgres pool_mode=${mode}`,
    ),
    "[pgbouncer]",
    "listen_addr = 127.0.0.1",
    `listen_port = ${port}`,
    "unix_socket_dir =",
    "auth_type = scram-sha-256",
    `auth_file = ${users}`,
    "server_tls_sslmode = prefer",
    ...(followsStatements ? ["max_prepared_statements = 100"] : []),
    ...lines,
    "",
  ].join("\n");
  const child = spawn(PGBOUNCER, [file("pgbouncer.ini", config)], {
    stdio: ["ignore", "ignore", "ignore"],
    ...account,
  });
  const stop = async (): Promise<void> => {
    await ended(child);
    rmSync(directory, { recursive: true, force: true });
  };
  const begun = await untilReady(child, port);
  if (!begun) {
    const said = readFileSync(log, "utf8");
    await stop();
    throw new Error(`PgBouncer did not start: ${said}`);
  }
  const { user, password } = behind;
  const url = (mode: PoolMode): string =>
    `postgres://${user}:${encodeURIComponent(password)}@127.0.0.1:${port}/${mode}?sslmode=disable`;
  return { followsStatements, url, stop };
}

/** 1.21 is 121. */
function versionOf(program: string): number {
  const { stdout } = spawnSync(program, ["--version"], { encoding: "utf8" });
  const [, major = "0", minor = "0"] = /(\d+)\.(\d+)/.exec(stdout) ?? [];
  return Number(major) * 100 + Number(minor);
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await exit;
}

async function untilReady(child: ChildProcess, port: number): Promise<boolean> {
  for (let tries = 0; tries < 1000; tries++) {
    if (child.exitCode !== null) return false;
    if (await answers(port)) return true;
    await delay(10);
  }
  return false;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("error", () => resolve(false));
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
  });
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port was given");
  return address.port;
}

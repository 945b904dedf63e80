// A standby of an embedded server: a copy of its files that streams what the server writes. The
// binaries have no pg_basebackup, so that the copy is made as the low-level backup does it.

import * as fs from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import * as path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import {
  serverAccount,
  temporaryDirectory,
} from "../../packages/forebay-cli/src/server/account.ts";
import { findBinaries, stageBinaries } from "../../packages/forebay-cli/src/server/binaries.ts";
import { Custodian } from "../../packages/forebay-cli/src/server/custodian.ts";
import type { EmbeddedServer } from "../../packages/forebay-cli/src/server/index.ts";
import { type PgConnection, postgres } from "../../packages/forebay/src/postgres/index.ts";

/** What the server of a standby must be started with, so that the standby may stream from it. */
export const REPLICATION_HBA: readonly string[] = ["host replication all 127.0.0.1/32 trust"];

/** A standby. Its superuser is that of its primary. */
export interface Standby {
  readonly port: number;
  stop(): Promise<void>;
}

/** Starts a standby; resolves once it lets sessions in. It ends with `stop`, or this process. */
export async function startStandby(primary: EmbeddedServer): Promise<Standby> {
  const account = serverAccount();
  const custodian = await Custodian.open(temporaryDirectory(account));
  try {
    if (account !== undefined) fs.chmodSync(custodian.directory, 0o755);
    const programs = path.join(custodian.directory, "pgsql");
    stageBinaries(findBinaries().root, programs, account === undefined ? "self" : "everyone");
    const data = path.join(custodian.directory, "data");
    const conn = await connect(primary);
    const config = await setting(conn, "config_file");
    await copy(conn, await setting(conn, "data_directory"), data);
    await conn.close();
    if (account !== undefined) giveTo(account, data);
    const port = await freePort();
    const source = `host=127.0.0.1 port=${primary.port} user=${primary.user}`;
    const log = path.join(custodian.directory, "standby.log");
    const { ended } = await custodian.run({
      file: path.join(programs, "bin", "postgres"),
      args: ["-D", data, "-c", `config_file=${config}`, "-c", `port=${port}`].concat([
        "-c",
        `primary_conninfo=${source}`,
      ]),
      env: { LC_ALL: "C", TZ: "UTC" },
      log,
      account,
    });
    custodian.unref();
    const hasEnded = ended.then(() => {
      throw new Error(`the standby ended: ${fs.readFileSync(log, "utf8")}`);
    });
    await Promise.race([untilReady(data), hasEnded]);
    hasEnded.catch(() => undefined);
    return { port, stop: () => custodian.close() };
  } catch (error) {
    await custodian.close();
    throw error;
  }
}

function connect(server: EmbeddedServer): Promise<PgConnection> {
  const { signal } = new AbortController();
  return postgres(server.url, { env: {} }).connect({ signal, onLost: () => undefined });
}

async function setting(conn: PgConnection, name: string): Promise<string> {
  const { rows } = await conn.query("SELECT current_setting($1) AS value", [name]);
  const [row] = rows as { readonly value: string }[];
  return row?.value ?? "";
}

/** What is written while the files are copied is in the log from the start on. */
async function copy(conn: PgConnection, from: string, to: string): Promise<void> {
  await conn.query("SELECT pg_backup_start('standby', true)", []);
  fs.cpSync(from, to, { recursive: true, filter: (file) => belongs(path.relative(from, file)) });
  const { rows } = await conn.query("SELECT labelfile FROM pg_backup_stop(false)", []);
  const [row] = rows as { readonly labelfile: string }[];
  fs.writeFileSync(path.join(to, "backup_label"), row?.labelfile ?? "");
  fs.writeFileSync(path.join(to, "standby.signal"), "");
  fs.chmodSync(to, 0o700);
}

/** All but the log, which the standby streams, and what is of the running server only. */
function belongs(file: string): boolean {
  return !/^(postmaster\.|pg_wal\/[0-9A-F]{24}|pg_replslot\/|pgsql_tmp)/u.test(file);
}

function giveTo(account: { readonly uid: number; readonly gid: number }, folder: string): void {
  fs.chownSync(folder, account.uid, account.gid);
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) giveTo(account, file);
    else fs.lchownSync(file, account.uid, account.gid);
  }
}

/** Waits until the server of these files lets sessions in. */
export async function untilReady(data: string): Promise<void> {
  const statusFile = path.join(data, "postmaster.pid");
  for (;;) {
    await delay(10);
    const status = fs.existsSync(statusFile) ? fs.readFileSync(statusFile, "utf8") : "";
    // Of a standby that lets sessions in, the status is "standby" until they may read.
    if (status.split("\n")[7]?.startsWith("ready") === true) return;
  }
}

/** A port of the loopback interface at which nobody listens. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

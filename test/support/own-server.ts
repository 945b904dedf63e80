// A PostgreSQL server of a test's own, of any major version whose programs are installed, with the
// settings, the lines of pg_hba.conf and the certificates that the test wants.

import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import { createRequire } from "node:module";
import * as path from "node:path";
import {
  type Account,
  serverAccount,
  temporaryDirectory,
} from "../../packages/forebay-cli/src/server/account.ts";
import { findBinaries, stageBinaries } from "../../packages/forebay-cli/src/server/binaries.ts";
import { Custodian } from "../../packages/forebay-cli/src/server/custodian.ts";
import { freePort, untilReady } from "./standby.ts";

/** The major versions that are tested, the newest last: it is the one that the command brings. */
export const MAJORS = [14, 15, 16, 17, 18] as const;

/** One of them. */
export type Major = (typeof MAJORS)[number];

/** Where a server listens, and who may do everything there. */
export interface OwnServer {
  readonly major: Major;
  readonly host: string;
  readonly port: number;
  /** The directory of its Unix socket. */
  readonly socketDir: string;
  readonly user: string;
  readonly password: string;
  /** The account that it runs as; `undefined` for that of this process. */
  readonly account: Account | undefined;
  stop(): Promise<void>;
}

/** How it is started. */
export interface OwnServerOptions {
  readonly major?: Major;
  /** All of pg_hba.conf. */
  readonly hba: readonly string[];
  /** All of pg_ident.conf. */
  readonly ident?: readonly string[];
  readonly settings?: Readonly<Record<string, string>>;
  /** TLS: the server's certificate and key, and who signed those of clients. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly clientCa: string };
}

const HOST = "127.0.0.1";
const USER = "postgres";

/** The folder of the npm package with the programs of a version; `undefined` where it is not. */
export function programsOf(major: Major): string | undefined {
  try {
    if (major === 18) return findBinaries().root;
    const main = createRequire(import.meta.url).resolve(`@forebay-test/pg${major}`);
    return path.dirname(path.dirname(main));
  } catch {
    return undefined;
  }
}

/** What a test of a version is called where it is skipped, so that everybody sees why. */
export function needs(major: Major): string {
  return programsOf(major) === undefined
    ? `(skipped: its package is missing; of versions before 18 there is one for Linux on x64 only)`
    : "";
}

/** Starts a server. It ends with `stop`, or with this process. */
export async function startOwnServer(options: OwnServerOptions): Promise<OwnServer> {
  const major = options.major ?? 18;
  const root = programsOf(major);
  if (root === undefined) throw new Error(`there are no programs of PostgreSQL ${major}`);
  const account = serverAccount();
  const custodian = await Custodian.open(temporaryDirectory(account));
  try {
    const place = prepare(custodian, account, root);
    const password = await initialize(custodian, account, place);
    const port = await freePort();
    configure(place, account, options, port);
    const { ended } = await custodian.run({
      file: path.join(place.programs, "bin", "postgres"),
      args: ["-D", place.data],
      env: { LC_ALL: "C", TZ: "UTC" },
      log: place.log,
      account,
    });
    custodian.unref();
    const hasEnded = ended.then(() => {
      throw new Error(`the server ended: ${fs.readFileSync(place.log, "utf8")}`);
    });
    await Promise.race([untilReady(place.data), hasEnded]);
    hasEnded.catch(() => undefined);
    const { home: socketDir } = place;
    const stop = () => custodian.close();
    return { major, host: HOST, port, socketDir, user: USER, password, account, stop };
  } catch (error) {
    await custodian.close();
    throw error;
  }
}

interface Place {
  readonly programs: string;
  readonly home: string;
  readonly data: string;
  readonly log: string;
}

function prepare(custodian: Custodian, account: Account | undefined, root: string): Place {
  const { directory } = custodian;
  if (account !== undefined) fs.chmodSync(directory, 0o755);
  const home = path.join(directory, "home");
  const programs = path.join(directory, "pgsql");
  stageBinaries(root, programs, account === undefined ? "self" : "everyone");
  fs.mkdirSync(home, { mode: 0o700 });
  if (account !== undefined) fs.chownSync(home, account.uid, account.gid);
  return { programs, home, data: path.join(home, "data"), log: path.join(directory, "log") };
}

/** Makes the database; gives the superuser's password. */
async function initialize(
  custodian: Custodian,
  account: Account | undefined,
  { programs, home, data, log }: Place,
): Promise<string> {
  const password = randomBytes(24).toString("base64url");
  const passwordFile = path.join(home, "password");
  write(passwordFile, `${password}\n`, account);
  const { ended } = await custodian.run({
    file: path.join(programs, "bin", "initdb"),
    args: [`--pgdata=${data}`, `--username=${USER}`, `--pwfile=${passwordFile}`].concat([
      "--auth=scram-sha-256",
      "--encoding=UTF8",
      "--locale=C",
      "--no-sync",
      "--no-instructions",
    ]),
    env: { LC_ALL: "C", TZ: "UTC" },
    log,
    account,
  });
  const { code } = await ended;
  if (code !== 0) throw new Error(`initdb failed: ${fs.readFileSync(log, "utf8")}`);
  return password;
}

function configure(
  { home, data }: Place,
  account: Account | undefined,
  { hba, ident, settings, tls }: OwnServerOptions,
  port: number,
): void {
  const file = (name: string, text: string) => write(path.join(data, name), text, account);
  const all: Record<string, string> = {
    listen_addresses: HOST,
    port: String(port),
    unix_socket_directories: home,
    fsync: "off",
    ...settings,
  };
  if (tls !== undefined) {
    file("server.pem", tls.cert);
    file("server.key", tls.key);
    file("client-authority.pem", tls.clientCa);
    Object.assign(all, { ssl: "on", ssl_cert_file: "server.pem", ssl_key_file: "server.key" });
    all["ssl_ca_file"] = "client-authority.pem";
  }
  const lines = Object.entries(all).map(([name, value]) => `${name} = '${value}'\n`);
  fs.appendFileSync(path.join(data, "postgresql.conf"), lines.join(""));
  file("pg_hba.conf", [...hba, ""].join("\n"));
  if (ident !== undefined) file("pg_ident.conf", [...ident, ""].join("\n"));
}

function write(file: string, text: string, account: Account | undefined): void {
  fs.writeFileSync(file, text, { mode: 0o600 });
  if (account !== undefined) fs.chownSync(file, account.uid, account.gid);
}

// Starts a PostgreSQL server for this run only, set up as a careful person would set up a real one:
// TLS for every connection over TCP, SCRAM passwords, fsync. The custodian sees to it that it ends
// with this process.

import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import { createServer } from "node:net";
import * as path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { CliError } from "../errors.ts";
import { serverAccount, temporaryDirectory, type Account } from "./account.ts";
import { pinProcessors } from "./affinity.ts";
import { findBinaries, stageBinaries } from "./binaries.ts";
import { makeCertificates } from "./certificates.ts";
import { Custodian, SpawnError, type Running } from "./custodian.ts";
import type { EmbeddedOptions, EmbeddedServer } from "./server.ts";

const HOST = "127.0.0.1";
const USER = "postgres";
const START_TIMEOUT_MS = 60_000;
const POLL_MS = 10;
/** Where the server says how far it is, in its directory of data. */
const STATUS_FILE = "postmaster.pid";
/**
 * Another program may take the chosen port before the server does; more often than this it is
 * something else.
 */
const PORT_ATTEMPTS = 5;
/** The longest path of a Unix socket that every system takes. */
const SOCKET_PATH_BYTES_MAX = 103;
const SOCKET_NAME_LONGEST = ".s.PGSQL.65535.lock";

/** Where everything of one server lies. Only `home` belongs to the server's account. */
interface Layout {
  readonly programs: string;
  readonly configFile: string;
  readonly hbaFile: string;
  readonly authorityFile: string;
  readonly certificateFile: string;
  readonly keyFile: string;
  readonly passwordFile: string;
  readonly data: string;
  readonly socketDir: string | undefined;
  readonly home: string;
}

/** What the steps of one start share. */
interface Context {
  readonly custodian: Custodian;
  readonly account: Account | undefined;
  readonly layout: Layout;
  readonly options: EmbeddedOptions;
}

/**
 * Starts a server on a free port of 127.0.0.1, and on a Unix socket in its own directory.
 *
 * Takes about a second. The server ends, and its files go, with `stop` or with this process,
 * whichever is first. Does not keep the process alive. Rejects with a `CliError` of code
 * `SERVER_BINARIES_MISSING` or `SERVER_START_FAILED`, or with `signal.reason`; then nothing is left
 * behind. `choosePort` is for tests.
 */
export async function startEmbedded(
  options: EmbeddedOptions = {},
  choosePort: () => Promise<number> = freePort,
): Promise<EmbeddedServer> {
  const { signal } = options;
  signal?.throwIfAborted();
  const binaries = findBinaries();
  if (options.pinned === true) pinProcessors();
  const account = serverAccount();
  const custodian = await Custodian.open(temporaryDirectory(account));
  const onAbort = (): void => void custodian.close();
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    signal?.throwIfAborted();
    const context = { custodian, account, layout: layoutIn(custodian.directory), options };
    options.onProgress?.(`preparing PostgreSQL ${binaries.version}`);
    const password = await prepare(context, binaries.root);
    options.onProgress?.(`starting PostgreSQL ${binaries.version}`);
    const started = await startOnFreePort(context, choosePort);
    custodian.unref();
    return describe(context, { ...started, version: binaries.version, password });
  } catch (error) {
    await custodian.close();
    signal?.throwIfAborted();
    throw explained(error);
  } finally {
    signal?.removeEventListener("abort", onAbort);
  }
}

function layoutIn(directory: string): Layout {
  const home = path.join(directory, "home");
  const socketPath = path.join(home, SOCKET_NAME_LONGEST);
  const hasSocket =
    process.platform !== "win32" && Buffer.byteLength(socketPath) <= SOCKET_PATH_BYTES_MAX;
  return {
    programs: path.join(directory, "pgsql"),
    configFile: path.join(directory, "postgresql.conf"),
    hbaFile: path.join(directory, "pg_hba.conf"),
    authorityFile: path.join(directory, "authority.pem"),
    certificateFile: path.join(directory, "server.pem"),
    keyFile: path.join(directory, "server.key"),
    passwordFile: path.join(directory, "password"),
    data: path.join(home, "data"),
    socketDir: hasSocket ? home : undefined,
    home,
  };
}

/** Everything up to the start of the server. Gives the superuser's password. */
async function prepare(context: Context, packageRoot: string): Promise<string> {
  const { custodian, account, layout, options } = context;
  // The directory was made for its owner alone; the server's account must be able to enter it.
  if (account !== undefined) fs.chmodSync(custodian.directory, 0o755);
  stageBinaries(packageRoot, layout.programs, account === undefined ? "self" : "everyone");
  fs.mkdirSync(layout.home, { mode: 0o700 });
  const password = randomBytes(24).toString("base64url");
  const certificates = await makeCertificates();
  options.signal?.throwIfAborted();
  fs.writeFileSync(layout.passwordFile, `${password}\n`, { mode: 0o600 });
  fs.writeFileSync(layout.keyFile, certificates.serverKey, { mode: 0o600 });
  fs.writeFileSync(layout.certificateFile, certificates.server);
  fs.writeFileSync(layout.authorityFile, certificates.authority);
  fs.writeFileSync(layout.hbaFile, hbaText(options.hba ?? []));
  fs.writeFileSync(layout.configFile, configText(layout, options));
  if (account !== undefined) {
    for (const file of [layout.home, layout.passwordFile, layout.keyFile]) {
      fs.chownSync(file, account.uid, account.gid);
    }
    for (const file of [
      layout.certificateFile,
      layout.authorityFile,
      layout.hbaFile,
      layout.configFile,
    ]) {
      fs.chmodSync(file, 0o644);
    }
  }
  await initialize(context);
  fs.rmSync(layout.passwordFile);
  return password;
}

async function initialize(context: Context): Promise<void> {
  const { layout, options } = context;
  const log = path.join(context.custodian.directory, "initdb.log");
  const initdb = await runProgram(context, "initdb", log, [
    `--pgdata=${layout.data}`,
    `--username=${USER}`,
    `--pwfile=${layout.passwordFile}`,
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    // The files are thrown away after a crash of the machine; the server itself does sync.
    "--no-sync",
    "--no-instructions",
  ]);
  const { code } = await initdb.ended;
  options.signal?.throwIfAborted();
  if (code !== 0) throw startFailed("PostgreSQL's initdb failed", log);
}

/** A server that has started, and may have been started again since. */
interface Started {
  readonly running: Running;
  readonly port: number;
  readonly log: string;
}

async function startOnFreePort(
  context: Context,
  choosePort: () => Promise<number>,
): Promise<Started> {
  for (let attempt = 1; ; attempt++) {
    const port = await choosePort();
    const log = path.join(context.custodian.directory, `server-${attempt}.log`);
    const { running, state } = await runServer(context, log, { port });
    if (state === "ready") return { running, port, log };
    if (attempt < PORT_ATTEMPTS && /Address already in use/.test(readLog(log))) continue;
    throw startFailed(
      state === "ended" ? "PostgreSQL ended at once" : "PostgreSQL did not become ready",
      log,
    );
  }
}

/** Runs the server, and says what came of it. */
async function runServer(
  context: Context,
  log: string,
  settings: Readonly<Record<string, string | number>>,
): Promise<{ running: Running; state: "ready" | "ended" | "late" }> {
  const { layout, options } = context;
  const all = Object.entries({ config_file: layout.configFile, ...settings });
  const args = all.flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const running = await runProgram(context, "postgres", log, ["-D", layout.data, ...args]);
  return { running, state: await untilReady(running, layout.data, options.signal) };
}

async function runProgram(
  { custodian, account, layout }: Context,
  name: "initdb" | "postgres",
  log: string,
  args: readonly string[],
): Promise<Running> {
  const file = path.join(
    layout.programs,
    "bin",
    process.platform === "win32" ? `${name}.exe` : name,
  );
  return await custodian.run({ file, args, env: serverEnvironment(), log, account });
}

/** This process's environment without what PostgreSQL or the C library would take as settings. */
function serverEnvironment(): Record<string, string | undefined> {
  const kept = Object.entries(process.env).filter(([name]) => !/^(PG|LC_|LANG|TZ)/.test(name));
  return { ...Object.fromEntries(kept), LC_ALL: "C", TZ: "UTC" };
}

async function untilReady(
  running: Running,
  data: string,
  signal: AbortSignal | undefined,
): Promise<"ready" | "ended" | "late"> {
  let hasEnded = false;
  void running.ended.then(() => (hasEnded = true));
  const statusFile = path.join(data, STATUS_FILE);
  for (let leftMs = START_TIMEOUT_MS; leftMs > 0; leftMs -= POLL_MS) {
    await delay(POLL_MS);
    signal?.throwIfAborted();
    if (hasEnded) return "ended";
    // The eighth line of that file is the server's state; pg_ctl goes by it, too.
    const state = fs.existsSync(statusFile) && fs.readFileSync(statusFile, "utf8").split("\n")[7];
    if (state !== false && state?.startsWith("ready")) return "ready";
  }
  return "late";
}

/** A port of 127.0.0.1 at which nobody listens at the moment. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, HOST, resolve);
  });
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port was given");
  return address.port;
}

function hbaText(first: readonly string[]): string {
  return [
    ...first,
    ...(process.platform === "win32" ? [] : ["local all all scram-sha-256"]),
    "hostssl all all 127.0.0.1/32 scram-sha-256",
    "hostssl all all ::1/128 scram-sha-256",
    "",
  ].join("\n");
}

function configText(layout: Layout, options: EmbeddedOptions): string {
  const settings = {
    listen_addresses: HOST,
    unix_socket_directories: layout.socketDir ?? "",
    hba_file: layout.hbaFile,
    max_connections: options.maxConnections ?? 100,
    shared_buffers: "128MB",
    fsync: true,
    ssl: true,
    ssl_cert_file: layout.certificateFile,
    ssl_key_file: layout.keyFile,
    password_encryption: "scram-sha-256",
    ...options.settings,
  };
  const lines = Object.entries(settings).map(([name, value]) => {
    if (!/^[a-z][a-z0-9_.]*$/i.test(name)) {
      throw new CliError(
        "SERVER_START_FAILED",
        `\`${name}\` is not the name of a server setting`,
        "Names consist of letters, digits, underscores and dots.",
      );
    }
    return `${name} = ${quoted(String(value))}`;
  });
  const base = path.join(layout.data, "postgresql.conf");
  return [`include ${quoted(base)}`, ...lines, ""].join("\n");
}

function quoted(value: string): string {
  return `'${value.replaceAll("\\", "\\\\").replaceAll("'", "''")}'`;
}

function describe(
  context: Context,
  about: Started & { readonly version: string; readonly password: string },
): EmbeddedServer {
  const { custodian, layout } = context;
  const { version, password, port, log } = about;
  let { running } = about;
  let isStopped = false;
  const stop = async (): Promise<void> => {
    isStopped = true;
    await custodian.close();
  };
  const lost = new AbortController();
  const watch = (): void => {
    const watched = running;
    void watched.ended.then(() => {
      if (!isStopped && watched === running) lost.abort(hasEnded(log));
    });
  };
  watch();
  const restart: EmbeddedServer["restart"] = async (how, settings = {}) => {
    const before = running;
    const ended = before.ended;
    // Nobody is to be told of this end.
    running = { pid: before.pid, ended: new Promise(() => undefined) };
    process.kill(before.pid, how === "fast" ? "SIGINT" : "SIGQUIT");
    await ended;
    // It says "ready" of the server that was.
    fs.rmSync(path.join(layout.data, STATUS_FILE), { force: true });
    const again = await runServer(context, log, { port, ...settings });
    running = again.running;
    watch();
    if (again.state !== "ready") throw startFailed("PostgreSQL did not start again", log);
  };
  const trust = `sslmode=verify-full&sslrootcert=${encodeURIComponent(layout.authorityFile)}`;
  return {
    kind: "embedded",
    url: `postgres://${USER}:${password}@${HOST}:${port}/postgres?${trust}`,
    description: `PostgreSQL ${version}, started for this run`,
    version,
    caFile: layout.authorityFile,
    ...(layout.socketDir === undefined ? {} : { socketDir: layout.socketDir }),
    host: HOST,
    port,
    user: USER,
    password,
    get pid() {
      return running.pid;
    },
    restart,
    lost: lost.signal,
    stop,
  };
}

function readLog(log: string): string {
  return fs.existsSync(log) ? fs.readFileSync(log, "utf8") : "";
}

/** The end of a log, which is where it says why; without times and process ids. */
function reasonIn(log: string): string {
  const lines = readLog(log)
    .split("\n")
    .map((line) => line.replace(/^.*? \[\d+\] /, "").trim())
    .filter((line) => line !== "" && !/^(HINT|LOG: {2}database system is shut down)/.test(line));
  return lines.length === 0 ? "it said nothing" : lines.slice(-3).join("; ");
}

function startFailed(what: string, log: string): CliError {
  return new CliError(
    "SERVER_START_FAILED",
    `${what}: ${reasonIn(log)}`,
    "Mend that, or use a server of your own with --dsn or DATABASE_URL.",
  );
}

function hasEnded(log: string): CliError {
  return new CliError(
    "SERVER_UNREACHABLE",
    `the PostgreSQL that was started for this run has ended: ${reasonIn(log)}`,
    "See whether the machine has run out of memory or disk, and run it again.",
  );
}

const SPAWN_HINTS: Readonly<Record<string, string>> = {
  EACCES: "Set TMPDIR to a directory from which programs may be run.",
  ENOENT: "The packaged PostgreSQL needs the GNU C library; use --dsn or DATABASE_URL instead.",
  EPERM: "Run forebay as an ordinary user, or use --dsn or DATABASE_URL.",
};

/**
 * Turns the errors of the operating system into ones that say what to do; leaves others as they
 * are.
 */
function explained(error: unknown): unknown {
  if (error instanceof CliError) return error;
  const code =
    error instanceof SpawnError ? error.reason : (error as NodeJS.ErrnoException | null)?.code;
  if (code === undefined) return error;
  return new CliError(
    "SERVER_START_FAILED",
    `PostgreSQL could not be started: ${code}`,
    SPAWN_HINTS[code] ?? "Mend that, or use a server of your own with --dsn or DATABASE_URL.",
    { cause: error },
  );
}

// What a connection is to be like: options, the connection string, the environment and the
// defaults, in this order of precedence, merged and checked once. The password leaves through a
// function only, so that no dump shows it.

import { userInfo } from "node:os";
import { type Clock, systemClock } from "../../base/clock.ts";
import { UsageError } from "../../base/errors.ts";
import { type ConnInfo, type Keyword, parseConnInfo, severalHosts } from "./conninfo.ts";
import type { PgNotice } from "./errors.ts";
import type { SessionReset } from "./session-dirt.ts";
import type { TypePolicy } from "./types/index.ts";

/**
 * Whether the connection is encrypted and how far the server is checked, as in libpq. Without
 * meaning for a Unix socket.
 *
 * - `disable`: plain.
 * - `allow`: plain; encrypted if the server refuses plain.
 * - `prefer`: encrypted; plain if the server does not speak TLS or refuses encryption. Safe from
 *   nobody who can change what passes.
 * - `require`: encrypted; the certificate is checked only if `sslRootCert` is given.
 * - `verify-ca`: the certificate must come from a trusted authority.
 * - `verify-full`: and must be for this host.
 */
export type SslMode = "disable" | "allow" | "prefer" | "require" | "verify-ca" | "verify-full";

/** Whether SCRAM is tied to the TLS connection, which shuts out a server in the middle. */
export type ChannelBindingMode = "disable" | "prefer" | "require";

/**
 * A password, or a function that gives it for each connection anew, such as one that fetches a
 * short-lived token.
 */
export type PasswordSource = string | (() => string | Promise<string>);

/**
 * Options of a connection. What is `undefined` comes from the connection string, the environment or
 * the default.
 */
export interface PostgresOptions {
  /**
   * A name, an address, or the directory of a Unix socket (it begins with `/` or `@`). A name is
   * resolved for each connection anew. @defaultValue `PGHOST`, else `"localhost"`
   */
  readonly host?: string | undefined;
  /** @defaultValue `PGPORT`, else 5432 */
  readonly port?: number | undefined;
  /** @defaultValue `PGUSER`, else the name of the process's user */
  readonly user?: string | undefined;
  /** @defaultValue `PGPASSWORD` */
  readonly password?: PasswordSource | undefined;
  /** @defaultValue `PGDATABASE`, else the name of the user */
  readonly database?: string | undefined;
  /** @defaultValue `PGSSLMODE`, else `"prefer"` */
  readonly sslMode?: SslMode | undefined;
  /**
   * A file of trusted authorities in PEM. `"system"` stands for those that Node trusts, which
   * `verify-ca` and `verify-full` use also when nothing is given. Read for each connection.
   * @defaultValue `PGSSLROOTCERT`
   */
  readonly sslRootCert?: string | undefined;
  /** A file with the client's certificate in PEM. @defaultValue `PGSSLCERT` */
  readonly sslCert?: string | undefined;
  /** A file with the client's key in PEM, not encrypted. @defaultValue `PGSSLKEY` */
  readonly sslKey?: string | undefined;
  /**
   * `direct` begins TLS at once, for servers from PostgreSQL 17 on. @defaultValue
   * `PGSSLNEGOTIATION`, else `"postgres"`
   */
  readonly sslNegotiation?: "postgres" | "direct" | undefined;
  /** @defaultValue `PGCHANNELBINDING`, else `"prefer"` */
  readonly channelBinding?: ChannelBindingMode | undefined;
  /** @defaultValue `PGAPPNAME`, else `"forebay"` */
  readonly applicationName?: string | undefined;
  /**
   * Options for the server's session, such as `-c statement_timeout=5s`. @defaultValue `PGOPTIONS`
   */
  readonly options?: string | undefined;
  /**
   * How long one connection may take from the look-up of the name to the readiness of the session;
   * `Infinity` for no limit. @defaultValue `PGCONNECT_TIMEOUT` (which is in seconds, 0 for no
   * limit), else 10 000
   */
  readonly connectTimeoutMs?: number | undefined;
  /** What an `int8` becomes. @defaultValue `"auto"` */
  readonly int8?: TypePolicy["int8"] | undefined;
  /** The most rows that a stream fetches at once; fewer when they are long. @defaultValue 1000 */
  readonly fetchRowsMax?: number | undefined;
  /**
   * The longest message that is accepted from the server, in bytes, which bounds the memory that a
   * row can take.
   * @defaultValue 1 GiB - 1, the server's own limit
   */
  readonly maxMessageBytes?: number | undefined;
  /**
   * Idle time before the system probes the connection; `Infinity` turns probes off. @defaultValue
   * 60 000
   */
  readonly keepAliveMs?: number | undefined;
  /**
   * What becomes of a session whose user has changed it: settings (`SET`, `set_config`), the role,
   * `LISTEN`, advisory locks, temporary tables, cursors and statements of SQL. `auto` puts back
   * what was changed, which costs a round trip then and nothing otherwise; `discard` closes the
   * connection; `off` leaves it to the next user. What the pool's `afterConnect` hook set stays.
   * `SET LOCAL` and what was rolled back are no changes; prepared statements are kept. What a
   * function of your own changes shows only if it is a parameter that the server reports.
   * @defaultValue `"auto"`
   */
  readonly sessionReset?: SessionReset | undefined;
  /** Is given every notice of the server. An error that it throws is an uncaught one. */
  readonly onNotice?: ((notice: PgNotice) => void) | undefined;
  /** The source of time. @defaultValue the process's own */
  readonly clock?: Clock | undefined;
  /** Environment variables. @defaultValue `process.env` */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
}

/** Options after merging and checking. */
export interface PostgresConfig {
  readonly host: string;
  readonly port: number;
  /** The path of the Unix socket; `undefined` for TCP. */
  readonly socketPath: string | undefined;
  readonly user: string;
  readonly database: string;
  /** Gives the password for a new connection; `undefined` when there is none. */
  readonly password: () => string | undefined | Promise<string>;
  readonly sslMode: SslMode;
  readonly sslRootCert: string | undefined;
  readonly sslCert: string | undefined;
  readonly sslKey: string | undefined;
  readonly sslNegotiation: "postgres" | "direct";
  readonly channelBinding: ChannelBindingMode;
  readonly applicationName: string;
  readonly options: string | undefined;
  readonly connectTimeoutMs: number;
  readonly types: TypePolicy;
  readonly fetchRowsMax: number;
  readonly maxMessageBytes: number;
  readonly keepAliveMs: number;
  readonly sessionReset: SessionReset;
  readonly onNotice: ((notice: PgNotice) => void) | undefined;
  readonly clock: Clock;
}

const ENVIRONMENT: Readonly<Record<Keyword, string>> = {
  host: "PGHOST",
  port: "PGPORT",
  user: "PGUSER",
  password: "PGPASSWORD",
  dbname: "PGDATABASE",
  sslmode: "PGSSLMODE",
  sslrootcert: "PGSSLROOTCERT",
  sslcert: "PGSSLCERT",
  sslkey: "PGSSLKEY",
  sslnegotiation: "PGSSLNEGOTIATION",
  channel_binding: "PGCHANNELBINDING",
  application_name: "PGAPPNAME",
  connect_timeout: "PGCONNECT_TIMEOUT",
  options: "PGOPTIONS",
};

const SSL_MODES: readonly SslMode[] = [
  "disable",
  "allow",
  "prefer",
  "require",
  "verify-ca",
  "verify-full",
];
const BINDING_MODES: readonly ChannelBindingMode[] = ["disable", "prefer", "require"];
const RESETS: readonly SessionReset[] = ["off", "auto", "discard"];
const NEGOTIATIONS: readonly ("postgres" | "direct")[] = ["postgres", "direct"];
const INT8_CHOICES: readonly TypePolicy["int8"][] = ["auto", "bigint", "number", "string"];

const CONNECT_TIMEOUT_DEFAULT_MS = 10_000;
const KEEP_ALIVE_DEFAULT_MS = 60_000;
const FETCH_ROWS_DEFAULT = 1000;
const MESSAGE_BYTES_DEFAULT = 0x3fff_ffff;

/**
 * Merges a connection string (a URL or libpq's keywords and values; may be empty), options, the
 * environment and the defaults. Throws `UsageError` of `OPTION_INVALID` that says what to do.
 */
export function resolveConfig(connInfo: string, options: PostgresOptions): PostgresConfig {
  const text = new Layers(parseConnInfo(connInfo), options.env ?? process.env);
  const host = text.pick("host", options.host) ?? "localhost";
  if (host.includes(",")) throw severalHosts();
  const port = checkPort(options.port ?? toNumber(text.get("port"), "port") ?? 5432);
  const user = text.pick("user", options.user) ?? userInfo().username;
  const fileOfRoots = text.pick("sslrootcert", options.sslRootCert);
  const config: PostgresConfig = {
    host,
    port,
    socketPath: /^[/@]/u.test(host) ? socketPath(host, port) : undefined,
    user,
    database: text.pick("dbname", options.database) ?? user,
    password: passwordFunction(options.password ?? text.get("password")),
    sslMode: choose(
      "sslmode",
      SSL_MODES,
      text.pick("sslmode", options.sslMode) ??
        (fileOfRoots === "system" ? "verify-full" : "prefer"),
    ),
    sslRootCert: fileOfRoots,
    sslCert: text.pick("sslcert", options.sslCert),
    sslKey: text.pick("sslkey", options.sslKey),
    sslNegotiation: choose(
      "sslnegotiation",
      NEGOTIATIONS,
      text.pick("sslnegotiation", options.sslNegotiation) ?? "postgres",
    ),
    channelBinding: choose(
      "channel_binding",
      BINDING_MODES,
      text.pick("channel_binding", options.channelBinding) ?? "prefer",
    ),
    applicationName: text.pick("application_name", options.applicationName) ?? "forebay",
    options: text.pick("options", options.options),
    connectTimeoutMs: checkMs("connectTimeoutMs", connectTimeoutMs(text, options)),
    types: { int8: choose("int8", INT8_CHOICES, options.int8 ?? "auto") },
    fetchRowsMax: checkCount("fetchRowsMax", options.fetchRowsMax ?? FETCH_ROWS_DEFAULT),
    maxMessageBytes: checkCount(
      "maxMessageBytes",
      options.maxMessageBytes ?? MESSAGE_BYTES_DEFAULT,
    ),
    keepAliveMs: checkMs("keepAliveMs", options.keepAliveMs ?? KEEP_ALIVE_DEFAULT_MS),
    sessionReset: choose("sessionReset", RESETS, options.sessionReset ?? "auto"),
    onNotice: options.onNotice,
    clock: options.clock ?? systemClock,
  };
  checkTogether(config);
  return config;
}

/** Where the connection goes, without secrets: `app@localhost:5432/app`. */
export function describeTarget(config: PostgresConfig): string {
  const host = config.host.includes(":") ? `[${config.host}]` : config.host;
  return `${config.user}@${host}:${config.port}/${config.database}`;
}

/**
 * The connection string over the environment; an empty value counts as none, as it does for libpq.
 */
class Layers {
  readonly #connInfo: ConnInfo;
  readonly #env: Readonly<Record<string, string | undefined>>;

  constructor(connInfo: ConnInfo, env: Readonly<Record<string, string | undefined>>) {
    this.#connInfo = connInfo;
    this.#env = env;
  }

  get(keyword: Keyword): string | undefined {
    const own = this.#connInfo.get(keyword);
    if (own !== undefined && own !== "") return own;
    const inherited = this.#env[ENVIRONMENT[keyword]];
    return inherited === undefined || inherited === "" ? undefined : inherited;
  }

  pick(keyword: Keyword, option: string | undefined): string | undefined {
    const value = option === undefined || option === "" ? this.get(keyword) : option;
    if (value?.includes("\0")) throw invalid(`${keyword} must not contain NUL`);
    return value;
  }
}

function invalid(reason: string): UsageError {
  return new UsageError("OPTION_INVALID", reason);
}

function socketPath(directory: string, port: number): string {
  const path = `${directory.replace(/\/$/u, "")}/.s.PGSQL.${port}`;
  return directory.startsWith("@") ? `\0${path.slice(1)}` : path;
}

function passwordFunction(source: PasswordSource | undefined): PostgresConfig["password"] {
  if (typeof source === "function") return source;
  return () => source;
}

function connectTimeoutMs(text: Layers, options: PostgresOptions): number {
  if (options.connectTimeoutMs !== undefined) return options.connectTimeoutMs;
  const seconds = toNumber(text.get("connect_timeout"), "connect_timeout");
  if (seconds === undefined) return CONNECT_TIMEOUT_DEFAULT_MS;
  return seconds <= 0 ? Number.POSITIVE_INFINITY : seconds * 1000;
}

function toNumber(text: string | undefined, name: string): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\s*-?[0-9]{1,9}\s*$/u.test(text)) throw invalid(`${name} must be a whole number`);
  return Number(text);
}

function choose<T extends string>(name: string, allowed: readonly T[], value: string): T {
  const found = allowed.find((choice) => choice === value);
  if (found === undefined) throw invalid(`${name} must be one of ${allowed.join(", ")}`);
  return found;
}

function checkPort(port: number): number {
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return port;
  throw invalid("port must be a whole number from 1 to 65535");
}

function checkCount(name: string, value: number): number {
  if (Number.isSafeInteger(value) && value >= 1 && value <= 0x7fff_ffff) return value;
  throw invalid(`${name} must be a whole number from 1 to 2147483647`);
}

function checkMs(name: string, value: number): number {
  if (value > 0) return value;
  throw invalid(`${name} must be above 0 milliseconds; Infinity stands for no limit`);
}

function checkTogether(config: PostgresConfig): void {
  const { sslMode, sslNegotiation, sslRootCert, channelBinding, socketPath } = config;
  const encryptedAlways = sslMode.startsWith("verify") || sslMode === "require";
  if (sslRootCert === "system" && sslMode !== "verify-full") {
    throw invalid("sslrootcert=system needs sslmode=verify-full: anyone can have a certificate");
  }
  if (sslNegotiation === "direct" && !encryptedAlways) {
    throw invalid("sslnegotiation=direct needs sslmode require, verify-ca or verify-full");
  }
  if (channelBinding === "require" && (sslMode === "disable" || socketPath !== undefined)) {
    throw invalid("channel_binding=require needs an encrypted connection: see sslmode");
  }
  if ((config.sslCert === undefined) !== (config.sslKey === undefined)) {
    throw invalid("sslcert and sslkey must be given together");
  }
}

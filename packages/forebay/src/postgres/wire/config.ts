// What a connection is to be like: options, the connection string, the environment and the
// defaults, in this order of precedence, merged and checked once. The password leaves through a
// function only, so that no dump shows it.

import { userInfo } from "node:os";
import { type Clock, systemClock } from "../../base/clock.ts";
import { Deadlines } from "../../base/deadlines.ts";
import { UsageError } from "../../base/errors.ts";
import { type Random, systemRandom } from "../../base/random.ts";
import type { PgNotice } from "./errors.ts";
import { STATEMENT_MODES, type StatementMode, StatementSettings } from "./statement-settings.ts";
import { describeHost, resolveHosts, type ServerHost } from "./hosts.ts";
import { type Environment, Layers } from "./layers.ts";
import { type PasswordRequest, readPassword } from "./passfile.ts";
import { type TypePolicy, TypeRegistry, type TypesOptions } from "./types/index.ts";
import type { SessionReset } from "./session-dirt.ts";

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
 * What the server that is connected to must be, as in libpq.
 *
 * - `any`: whatever it is.
 * - `read-write`: a session there can write by default: no standby, and
 *   `default_transaction_read_only` is off.
 * - `read-only`: it cannot.
 * - `primary`: it is not in recovery.
 * - `standby`: it is in recovery.
 * - `prefer-standby`: a standby if there is one, else whatever there is.
 */
export type TargetSessionAttrs =
  | "any"
  | "read-write"
  | "read-only"
  | "primary"
  | "standby"
  | "prefer-standby";

/** A version of the protocol; `latest` is the newest that is known here, 3.2. */
export type ProtocolVersion = "3.0" | "3.2" | "latest";

/**
 * A password, or a function that gives it for each connection anew, such as one that fetches a
 * short-lived token for the server that is named to it.
 */
export type PasswordSource = string | ((server: PasswordRequest) => string | Promise<string>);

/**
 * Options of a connection. What is `undefined` comes from the connection string, the service that
 * it names, the environment or the default.
 */
export interface PostgresOptions {
  /**
   * A name, an address, or the directory of a Unix socket (it begins with `/` or `@`); several in
   * an array, or separated by commas, are tried in order. A name is resolved for each connection
   * anew, and each of its addresses tried. @defaultValue `PGHOST`, else `"localhost"`
   */
  readonly host?: string | readonly string[] | undefined;
  /**
   * Addresses to connect to instead of looking `host` up, one for each host. An empty one stands
   * for the look-up. @defaultValue `PGHOSTADDR`
   */
  readonly hostAddr?: string | readonly string[] | undefined;
  /** One for all hosts, or one for each. @defaultValue `PGPORT`, else 5432 */
  readonly port?: number | string | readonly number[] | undefined;
  /**
   * What the server must be; others are passed over. @defaultValue `PGTARGETSESSIONATTRS`, else
   * `"any"`
   */
  readonly targetSessionAttrs?: TargetSessionAttrs | undefined;
  /**
   * `random` tries the hosts, and the addresses of each, in an order drawn for each connection.
   * @defaultValue `PGLOADBALANCEHOSTS`, else `"disable"`
   */
  readonly loadBalanceHosts?: "disable" | "random" | undefined;
  /** @defaultValue `PGUSER`, else the name of the process's user */
  readonly user?: string | undefined;
  /** @defaultValue `PGPASSWORD`, else what the file of passwords says */
  readonly password?: PasswordSource | undefined;
  /**
   * The file of passwords that libpq's programs share. It is not used when others than its owner
   * may read it. @defaultValue `PGPASSFILE`, else `~/.pgpass`
   */
  readonly passFile?: string | undefined;
  /** @defaultValue `PGDATABASE`, else the name of the user */
  readonly database?: string | undefined;
  /**
   * The name of a section of the file of services, `PGSERVICEFILE` or `~/.pg_service.conf`, which
   * goes after the connection string and before the environment. @defaultValue `PGSERVICE`
   */
  readonly service?: string | undefined;
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
   * Whether TLS tells the name of the host before the connection is encrypted, which some proxies
   * go by. @defaultValue `PGSSLSNI`, else `true`
   */
  readonly sslSni?: boolean | undefined;
  /**
   * `direct` begins TLS at once, for servers from PostgreSQL 17 on. @defaultValue
   * `PGSSLNEGOTIATION`, else `"postgres"`
   */
  readonly sslNegotiation?: "postgres" | "direct" | undefined;
  /** @defaultValue `PGCHANNELBINDING`, else `"prefer"` */
  readonly channelBinding?: ChannelBindingMode | undefined;
  /**
   * The oldest version of the protocol that is accepted; 3.2 is spoken from PostgreSQL 18 on.
   * @defaultValue `PGMINPROTOCOLVERSION`, else `"3.0"`
   */
  readonly minProtocolVersion?: ProtocolVersion | undefined;
  /**
   * The version of the protocol that is asked for. In 3.2 the key that a cancel request must show
   * is longer. @defaultValue `PGMAXPROTOCOLVERSION`, else `"3.0"`, or the latest where
   * `minProtocolVersion` is newer
   */
  readonly maxProtocolVersion?: ProtocolVersion | undefined;
  /** @defaultValue `PGAPPNAME`, else `"forebay"` */
  readonly applicationName?: string | undefined;
  /**
   * Options for the server's session, such as `-c statement_timeout=5s`. @defaultValue `PGOPTIONS`
   */
  readonly options?: string | undefined;
  /**
   * How long the attempt at one address may take, until the session is ready; that at the first of
   * a host's addresses includes the look-up of its name and the password function. A dial that
   * tries several may take as much for each. `Infinity` for no limit. @defaultValue
   * `PGCONNECT_TIMEOUT` (which is in seconds, 0 for no limit), else 10 000
   */
  readonly connectTimeoutMs?: number | undefined;
  /** What an `int8` becomes. @defaultValue `"auto"` */
  readonly int8?: TypePolicy["int8"] | undefined;
  /**
   * How statements are run. It falls back from `cache-statement` to `cache-describe` by itself
   * where a pooler cannot bear it, and says so by a warning of the process.
   * @defaultValue `"cache-statement"`
   */
  readonly statementMode?: StatementMode | undefined;
  /**
   * How many texts each connection keeps, besides those of `Stmt`s. A whole number from 1.
   * @defaultValue 256
   */
  readonly statementCacheMax?: number | undefined;
  /**
   * How long a statement may take; see `ExecOptions.timeoutMs`, which goes before it. `Infinity`
   * for no limit. Not for COMMIT, COPY, and rows that are read as they come. @defaultValue
   * `Infinity`
   */
  readonly statementTimeoutMs?: number | undefined;
  /** Types of the database's own, and codecs in place of the built-in ones. */
  readonly types?: TypesOptions | undefined;
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
  /**
   * Gives the addresses of a name, in the order in which they are to be tried; called for each
   * connection. @defaultValue the system's resolver
   */
  readonly lookup?: ((name: string) => Promise<readonly string[]>) | undefined;
  /** The source of time. @defaultValue the process's own */
  readonly clock?: Clock | undefined;
  /** The source of `loadBalanceHosts`'s orders. @defaultValue the process's own */
  readonly random?: Random | undefined;
  /** Environment variables. @defaultValue `process.env` */
  readonly env?: Environment | undefined;
}

/** What holds for each server of a configuration. */
export interface CommonConfig {
  readonly user: string;
  readonly database: string;
  readonly sslMode: SslMode;
  readonly sslRootCert: string | undefined;
  readonly sslCert: string | undefined;
  readonly sslKey: string | undefined;
  readonly sslSni: boolean;
  readonly sslNegotiation: "postgres" | "direct";
  readonly channelBinding: ChannelBindingMode;
  /** Minor versions of protocol 3: the oldest that is accepted, and the one that is asked for. */
  readonly protocolMinors: { readonly min: number; readonly max: number };
  readonly applicationName: string;
  readonly options: string | undefined;
  readonly statements: StatementSettings;
  readonly statementTimeoutMs: number;
  readonly deadlines: Deadlines;
  readonly types: TypeRegistry;
  readonly fetchRowsMax: number;
  readonly maxMessageBytes: number;
  readonly keepAliveMs: number;
  readonly sessionReset: SessionReset;
  readonly onNotice: ((notice: PgNotice) => void) | undefined;
  readonly clock: Clock;
}

/** Options after merging and checking. */
export interface TargetConfig extends CommonConfig {
  /** At least one. */
  readonly hosts: readonly ServerHost[];
  readonly targetSessionAttrs: TargetSessionAttrs;
  readonly loadBalanceHosts: "disable" | "random";
  /** Gives the password for a new connection; `undefined` when there is none. */
  readonly password: (server: PasswordRequest) => string | undefined | Promise<string | undefined>;
  readonly connectTimeoutMs: number;
  readonly lookup: ((name: string) => Promise<readonly string[]>) | undefined;
  readonly random: Random;
}

/** What one connection is made and kept by. */
export interface PostgresConfig extends CommonConfig {
  /** The server's name as it was given: what its certificate must be for. */
  readonly host: string;
  readonly port: number;
  /** The path of the Unix socket; `undefined` for TCP. */
  readonly socketPath: string | undefined;
}

const SSL_MODES: readonly SslMode[] = [
  "disable",
  "allow",
  "prefer",
  "require",
  "verify-ca",
  "verify-full",
];
const BINDING_MODES: readonly ChannelBindingMode[] = ["disable", "prefer", "require"];
const TARGETS: readonly TargetSessionAttrs[] = [
  "any",
  "read-write",
  "read-only",
  "primary",
  "standby",
  "prefer-standby",
];
const BALANCES: readonly ("disable" | "random")[] = ["disable", "random"];
const VERSIONS: readonly ProtocolVersion[] = ["3.0", "3.2", "latest"];
const RESETS: readonly SessionReset[] = ["off", "auto", "discard"];
const NEGOTIATIONS: readonly ("postgres" | "direct")[] = ["postgres", "direct"];
const INT8_CHOICES: readonly TypePolicy["int8"][] = ["auto", "bigint", "number", "string"];

const CONNECT_TIMEOUT_DEFAULT_MS = 10_000;
const KEEP_ALIVE_DEFAULT_MS = 60_000;
const FETCH_ROWS_DEFAULT = 1000;
const STATEMENTS_DEFAULT = 256;
const MESSAGE_BYTES_DEFAULT = 0x3fff_ffff;

/**
 * Merges a connection string (a URL or libpq's keywords and values; may be empty), options, the
 * environment and the defaults. Throws `UsageError` of `OPTION_INVALID` that says what to do.
 */
export function resolveConfig(connInfo: string, options: PostgresOptions): TargetConfig {
  const text = new Layers(connInfo, options.service, options.env);
  const user = text.pick("user", options.user) ?? userInfo().username;
  const config: TargetConfig = {
    ...resolveServers(text, options),
    ...resolveTls(text, options),
    user,
    database: text.pick("dbname", options.database) ?? user,
    password: passwordFunction(text, options),
    protocolMinors: protocolMinors(text, options),
    applicationName: text.pick("application_name", options.applicationName) ?? "forebay",
    options: text.pick("options", options.options),
    connectTimeoutMs: checkMs("connectTimeoutMs", connectTimeoutMs(text, options)),
    statements: new StatementSettings(
      choose("statementMode", STATEMENT_MODES, options.statementMode ?? "cache-statement"),
      checkCount("statementCacheMax", options.statementCacheMax ?? STATEMENTS_DEFAULT),
      (message) => process.emitWarning(message, { code: "FOREBAY_STATEMENT_MODE" }),
    ),
    statementTimeoutMs: checkMs("statementTimeoutMs", options.statementTimeoutMs ?? Infinity),
    deadlines: new Deadlines(options.clock ?? systemClock),
    types: new TypeRegistry(
      choose("int8", INT8_CHOICES, options.int8 ?? "auto"),
      checkTypes(options.types),
    ),
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

/** The configuration of a connection to one of the servers. */
export function configFor(config: TargetConfig, server: ServerHost): PostgresConfig {
  return { ...config, host: server.host, port: server.port, socketPath: server.socketPath };
}

/** Where connections go, without secrets: `app@localhost:5432/app`. */
export function describeTarget(config: TargetConfig): string {
  const hosts = config.hosts.map(({ host, port }) => describeHost(host, port));
  return `${config.user}@${hosts.join(",")}/${config.database}`;
}

function resolveServers(text: Layers, options: PostgresOptions) {
  const { targetSessionAttrs, loadBalanceHosts, lookup, random } = options;
  return {
    hosts: resolveHosts(
      text.pick("host", listed(options.host)),
      text.pick("hostaddr", listed(options.hostAddr)),
      text.pick("port", listed(options.port)),
    ),
    targetSessionAttrs: choose(
      "target_session_attrs",
      TARGETS,
      text.pick("target_session_attrs", targetSessionAttrs) ?? "any",
    ),
    loadBalanceHosts: choose(
      "load_balance_hosts",
      BALANCES,
      text.pick("load_balance_hosts", loadBalanceHosts) ?? "disable",
    ),
    lookup,
    random: random ?? systemRandom,
  };
}

function listed(option: number | string | readonly (number | string)[] | undefined) {
  return option === undefined ? undefined : String(option);
}

function resolveTls(text: Layers, options: PostgresOptions) {
  const fileOfRoots = text.pick("sslrootcert", options.sslRootCert);
  const { sslSni } = options;
  const sni = text.pick("sslsni", sslSni === undefined ? undefined : sslSni ? "1" : "0") ?? "1";
  return {
    sslMode: choose(
      "sslmode",
      SSL_MODES,
      text.pick("sslmode", options.sslMode) ??
        (fileOfRoots === "system" ? "verify-full" : "prefer"),
    ),
    sslRootCert: fileOfRoots,
    sslCert: text.pick("sslcert", options.sslCert),
    sslKey: text.pick("sslkey", options.sslKey),
    sslSni: choose("sslsni", ["0", "1"], sni) === "1",
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
  };
}

/** As in libpq, older servers and poolers are not asked for what they may not know. */
function protocolMinors(text: Layers, options: PostgresOptions): CommonConfig["protocolMinors"] {
  const oldest = text.pick("min_protocol_version", options.minProtocolVersion) ?? "3.0";
  const min = minorOf(choose("min_protocol_version", VERSIONS, oldest));
  const asked = text.pick("max_protocol_version", options.maxProtocolVersion);
  const max = minorOf(
    choose("max_protocol_version", VERSIONS, asked ?? (min > 0 ? "latest" : "3.0")),
  );
  if (min <= max) return { min, max };
  throw invalid("min_protocol_version must not be newer than max_protocol_version");
}

function minorOf(version: ProtocolVersion): number {
  return version === "3.0" ? 0 : 2;
}

function invalid(reason: string): UsageError {
  return new UsageError("OPTION_INVALID", reason);
}

function passwordFunction(text: Layers, options: PostgresOptions): TargetConfig["password"] {
  const source = options.password;
  if (typeof source === "function") return source;
  const given = text.pick("password", source);
  if (given !== undefined) return () => given;
  const file = text.pick("passfile", options.passFile) ?? text.userFile(".pgpass", "pgpass.conf");
  if (file === undefined) return () => undefined;
  return (server) => readPassword(file, server, warn);
}

const warned = new Set<string>();

/** Warns of something that holds for every dial, once. */
function warn(message: string): void {
  if (warned.has(message)) return;
  warned.add(message);
  process.emitWarning(message, { type: "ForebayPostgresWarning" });
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

function checkCount(name: string, value: number): number {
  if (Number.isSafeInteger(value) && value >= 1 && value <= 0x7fff_ffff) return value;
  throw invalid(`${name} must be a whole number from 1 to 2147483647`);
}

function checkTypes(types: TypesOptions | undefined): TypesOptions | undefined {
  const isName = (name: unknown): boolean => typeof name === "string" && /^[^\0]+$/u.test(name);
  if (types?.load?.every(isName) === false) {
    throw invalid("types.load must hold names of types, such as app.address");
  }
  for (const [name, codec] of Object.entries(types?.codecs ?? {})) {
    if (typeof codec?.fromText !== "function" || typeof codec.toText !== "function") {
      throw invalid(`the codec of ${name} must have fromText and toText`);
    }
  }
  return types;
}

function checkMs(name: string, value: number): number {
  if (value > 0) return value;
  throw invalid(`${name} must be above 0 milliseconds; Infinity stands for no limit`);
}

function checkTogether(config: TargetConfig): void {
  const { sslMode, sslNegotiation, sslRootCert, channelBinding, hosts } = config;
  const hasSocket = hosts.some((host) => host.socketPath !== undefined);
  const encryptedAlways = sslMode.startsWith("verify") || sslMode === "require";
  if (sslRootCert === "system" && sslMode !== "verify-full") {
    throw invalid("sslrootcert=system needs sslmode=verify-full: anyone can have a certificate");
  }
  if (sslNegotiation === "direct" && !encryptedAlways) {
    throw invalid("sslnegotiation=direct needs sslmode require, verify-ca or verify-full");
  }
  if (channelBinding === "require" && (sslMode === "disable" || hasSocket)) {
    throw invalid("channel_binding=require needs an encrypted connection: see sslmode");
  }
  if ((config.sslCert === undefined) !== (config.sslKey === undefined)) {
    throw invalid("sslcert and sslkey must be given together");
  }
}

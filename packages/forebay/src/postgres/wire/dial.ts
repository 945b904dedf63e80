// Making a connection to one of the servers that a configuration names: which are tried, in which
// order, each for how long; and what is said when none will do.

import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { addAbortListener, removeAbortListener } from "../../base/abort.ts";
import { TIMER_DELAY_MAX_MS, type Timer } from "../../base/clock.ts";
import { type ErrorCode, ForebayError, isForebayError } from "../../base/errors.ts";
import type { ConnectOptions } from "../../driver/driver.ts";
import { orAborted } from "./abort.ts";
import type { Channel } from "./channel.ts";
import { configFor, describeTarget, type TargetConfig, type TargetSessionAttrs } from "./config.ts";
import { openSession } from "./connect.ts";
import { PgConnection, statementsOf } from "./connection.ts";
import { classify, isPgError, ProtocolError } from "./errors.ts";
import { describeHost, type ServerHost, shuffled } from "./hosts.ts";
import { misfit } from "./target.ts";
import type { Address } from "./transport.ts";

/**
 * Makes one connection, to the first server that answers and is of the kind that is wanted.
 *
 * Rejects with `options.signal.reason`; with a `ForebayError` of `TARGET_NOT_FOUND` when servers
 * answered, and none was of that kind; else, when there was one address to try, with what it gave:
 * a `ForebayError` of `CONNECT_TIMEOUT`, `CONNECT_FAILED` (with the socket's error as `cause`),
 * `TLS_UNAVAILABLE`, `TLS_FAILED` or `AUTH_FAILED`; a `PgError` when the server refused; a
 * `ProtocolError`. When there were several, with `CONNECT_FAILED` or `CONNECT_TIMEOUT`, an
 * `AggregateError` as `cause`; or with the error of one of them that no other will mend, such as a
 * wrong password. Nothing is left open then.
 */
export async function connect(
  config: TargetConfig,
  options: ConnectOptions,
): Promise<PgConnection> {
  options.signal.throwIfAborted();
  return new Dial(config, options).run();
}

/** One address of one of the servers. */
interface Candidate {
  readonly server: ServerHost;
  readonly address: Address;
  readonly password: string | undefined;
}

/** What became of a candidate; of the server itself where it has no address. */
interface Failure {
  readonly server: ServerHost;
  readonly address: Address | undefined;
  /** Why the server that answered is not the right one. */
  readonly misfit: string | undefined;
  readonly error: unknown;
}

class Dial {
  readonly #config: TargetConfig;
  readonly #options: ConnectOptions;
  readonly #failures: Failure[] = [];
  readonly #misfits: Candidate[] = [];

  constructor(config: TargetConfig, options: ConnectOptions) {
    this.#config = config;
    this.#options = options;
  }

  async run(): Promise<PgConnection> {
    const { targetSessionAttrs: wanted } = this.#config;
    for (const server of this.#inOrder(this.#config.hosts)) {
      const found = await this.#tryServer(server, wanted);
      if (found !== undefined) return found;
    }
    if (wanted === "prefer-standby") {
      // There is none. Those that answered will do, and they alone: the others are known to be
      // away.
      for (const candidate of this.#misfits) {
        const found = await this.#try(candidate, "any", this.#limit());
        if (found !== undefined) return found;
      }
    }
    throw noneFound(this.#config, this.#failures);
  }

  #inOrder<T>(items: readonly T[]): readonly T[] {
    const { loadBalanceHosts, random } = this.#config;
    return loadBalanceHosts === "random" ? shuffled(items, random) : items;
  }

  #limit(): Limit {
    this.#options.signal.throwIfAborted();
    return new Limit(this.#config, this.#options.signal);
  }

  async #tryServer(
    server: ServerHost,
    wanted: TargetSessionAttrs,
  ): Promise<PgConnection | undefined> {
    let limit: Limit | undefined = this.#limit();
    let candidates: readonly Candidate[];
    try {
      candidates = await orAborted(this.#candidatesOf(server), limit.signal);
    } catch (error) {
      limit.end();
      this.#fail({ server, address: undefined, misfit: undefined, error });
      return undefined;
    }
    for (const candidate of candidates) {
      const found = await this.#try(candidate, wanted, limit ?? this.#limit());
      if (found !== undefined) return found;
      limit = undefined;
    }
    return undefined;
  }

  async #candidatesOf(server: ServerHost): Promise<readonly Candidate[]> {
    const { user, database } = this.#config;
    const { host, port } = server;
    const addresses = this.#inOrder(await addressesOf(this.#config, server));
    const password = await this.#config.password({ host, port, user, database });
    return addresses.map((address) => ({ server, address, password }));
  }

  /** Ends `limit`. */
  async #try(
    candidate: Candidate,
    wanted: TargetSessionAttrs,
    limit: Limit,
  ): Promise<PgConnection | undefined> {
    const { server, address, password } = candidate;
    let channel: Channel | undefined;
    try {
      const config = configFor(this.#config, server);
      channel = await openSession(config, address, password, limit.signal);
      const conn = new PgConnection(channel);
      const reason = await orAborted(misfitOf(conn, wanted), limit.signal);
      limit.signal.throwIfAborted();
      if (channel.lost !== undefined) throw channel.lost.reason;
      if (reason === undefined) {
        if (!config.types.isLoaded) await statementsOf(conn).loadTypes(limit.signal);
        channel.onLost = this.#options.onLost;
        return conn;
      }
      this.#misfits.push(candidate);
      this.#failures.push({ server, address, misfit: reason, error: undefined });
      await channel.close();
    } catch (error) {
      await channel?.close();
      this.#fail({ server, address, misfit: undefined, error });
    } finally {
      limit.end();
    }
    return undefined;
  }

  /** Goes on where another server may do better; throws where none can. */
  #fail(failure: Failure): void {
    this.#options.signal.throwIfAborted();
    if (classify(failure.error) === "fatal-connect") throw failure.error;
    this.#failures.push(failure);
  }
}

/** Bounds one attempt, beside the signal of the whole dial. */
class Limit {
  readonly #outer: AbortSignal;
  readonly #controller = new AbortController();
  readonly #timer: Timer | undefined;

  constructor(config: TargetConfig, outer: AbortSignal) {
    const { clock, connectTimeoutMs } = config;
    this.#outer = outer;
    addAbortListener(outer, this.#onOuter);
    if (connectTimeoutMs > TIMER_DELAY_MAX_MS) return;
    this.#timer = clock.setTimer(connectTimeoutMs, () => this.#controller.abort(timedOut(config)));
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  end(): void {
    this.#timer?.cancel();
    removeAbortListener(this.#outer, this.#onOuter);
  }

  readonly #onOuter = (): void => this.#controller.abort(this.#outer.reason);
}

/** Where the server is, as of now: nothing is remembered from one dial to the next. */
async function addressesOf(config: TargetConfig, server: ServerHost): Promise<readonly Address[]> {
  const { host, hostAddr, port, socketPath: path } = server;
  if (path !== undefined) return [{ path }];
  if (hostAddr !== undefined) return [{ host: hostAddr, port }];
  if (isIP(host) !== 0) return [{ host, port }];
  const found = await (config.lookup ?? lookUp)(host);
  if (found.length === 0) throw new Error(`the name ${host} has no address`);
  return Array.from(new Set(found), (address) => ({ host: address, port }));
}

async function lookUp(name: string): Promise<readonly string[]> {
  const found = await lookup(name, { all: true });
  return found.map(({ address }) => address);
}

function misfitOf(conn: PgConnection, wanted: TargetSessionAttrs): Promise<string | undefined> {
  const ask = async (sql: string): Promise<string> => {
    const { rows } = await conn.query(sql, [], { rowMode: "array" });
    const [[value]] = rows as [[unknown]];
    return String(value);
  };
  return misfit({ serverParameter: (name) => conn.serverParameter(name), ask }, wanted);
}

function noneFound(config: TargetConfig, failures: readonly Failure[]): unknown {
  const [first] = failures;
  const errors = failures.filter((each) => each.misfit === undefined).map(({ error }) => error);
  const list = failures.map(describeFailure).join("; ");
  if (errors.length < failures.length) {
    const cause = errors.length === 0 ? undefined : new AggregateError(errors, list);
    const wanted = config.targetSessionAttrs;
    return failed(config, "TARGET_NOT_FOUND", `no server is ${wanted}: ${list}`, cause);
  }
  if (failures.length === 1) return explain(config, first?.error);
  // One name is one server to its user, who wants to know what it said, not which address refused.
  const answer = config.hosts.length === 1 ? errors.find(isPgError) : undefined;
  if (answer !== undefined) return answer;
  const cause = new AggregateError(errors, list);
  const codes = new Set(errors.map(codeOf));
  if (codes.size === 1) Object.assign(cause, { code: codeOf(first?.error) });
  const code = codes.has("CONNECT_TIMEOUT") && codes.size === 1 ? "CONNECT_TIMEOUT" : undefined;
  return failed(config, code ?? "CONNECT_FAILED", `cannot connect: ${list}`, cause);
}

function describeFailure({ server, address, misfit: reason, error }: Failure): string {
  const { host, port } = server;
  const isNamed = address !== undefined && "host" in address && address.host !== host;
  const where = describeHost(host, port) + (isNamed ? ` (${address.host})` : "");
  return `${where}: ${reason ?? reasonOf(error)}`;
}

function reasonOf(error: unknown): string {
  if (isForebayError(error) && error.code === "CONNECT_TIMEOUT") return "no answer in time";
  if (isPgError(error)) return `${error.message} (${error.sqlstate})`;
  return error instanceof Error ? error.message || String(codeOf(error)) : String(error);
}

function timedOut(config: TargetConfig): ForebayError {
  const reason = `no connection after ${config.connectTimeoutMs}ms`;
  return failed(config, "CONNECT_TIMEOUT", reason, undefined);
}

/**
 * Says where it was that a socket's error came from. Errors that speak for themselves stay as they
 * are.
 */
function explain(config: TargetConfig, error: unknown): unknown {
  if (isPgError(error) || isForebayError(error) || error instanceof ProtocolError) return error;
  return failed(config, "CONNECT_FAILED", `cannot connect: ${reasonOf(error)}`, error);
}

function failed(
  config: TargetConfig,
  code: Extract<ErrorCode, "CONNECT_FAILED" | "CONNECT_TIMEOUT" | "TARGET_NOT_FOUND">,
  reason: string,
  cause: unknown,
): ForebayError {
  const message = `${describeTarget(config)}: ${reason}`;
  return new ForebayError("operating", code, message, { retryable: true, cause });
}

function codeOf(error: unknown): unknown {
  return (error as { readonly code?: unknown } | null)?.code;
}

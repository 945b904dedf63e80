// The connector: one database, any number of connections.

import { UsageError } from "../../base/errors.ts";
import type { ConnectOptions, Connector } from "../../driver/driver.ts";
import {
  describeTarget,
  type PostgresOptions,
  resolveConfig,
  type TargetConfig,
} from "./config.ts";
import type { PgConnection } from "./connection.ts";
import { connect } from "./dial.ts";
import { mayRetryConnect } from "./errors.ts";

/** Makes connections to one PostgreSQL database, on whichever of its servers is the right one. */
export class PostgresConnector implements Connector<PgConnection> {
  /** `postgres user@host:port/database`, without secrets. */
  readonly name: string;
  readonly #connInfo: string;
  readonly #options: PostgresOptions;
  readonly #config: TargetConfig;

  /** See `postgres`. */
  constructor(connInfo: string, options: PostgresOptions) {
    this.#connInfo = connInfo;
    this.#options = options;
    this.#config = resolveConfig(connInfo, options);
    this.name = `postgres ${describeTarget(this.#config)}`;
  }

  /**
   * See `Connector.connect`. `options.settings`, from a pool's `beforeConnect` hook, are
   * `PostgresOptions` that hold for this connection alone, before all others. Rejects with
   * `OPTION_INVALID` where they are none.
   */
  async connect(options: ConnectOptions): Promise<PgConnection> {
    return connect(this.#configFor(options.settings), options);
  }

  #configFor(settings: unknown): TargetConfig {
    if (settings === undefined) return this.#config;
    if (typeof settings !== "object" || settings === null || Array.isArray(settings)) {
      throw new UsageError(
        "OPTION_INVALID",
        "what beforeConnect gives must be PostgresOptions, such as { password }, or undefined",
      );
    }
    const config = resolveConfig(this.#connInfo, { ...this.#options, ...settings });
    return { ...config, ...this.#sharedBy(config, settings) };
  }

  /** What holds for all connections of the connector, with the settings of one as well. */
  #sharedBy(config: TargetConfig, settings: PostgresOptions): Partial<TargetConfig> {
    const { deadlines, statements, types } = this.#config;
    const isSame = describeTarget(config) === describeTarget(this.#config);
    const { clock, statementMode, statementCacheMax } = settings;
    return {
      ...(clock === undefined ? { deadlines } : {}),
      ...(isSame && statementMode === undefined && statementCacheMax === undefined
        ? { statements }
        : {}),
      ...(isSame && settings.types === undefined && settings.int8 === undefined ? { types } : {}),
    };
  }

  shouldRetryConnect(error: unknown): boolean {
    return mayRetryConnect(error);
  }
}

/**
 * Describes a PostgreSQL database to connect to. Nothing is connected yet.
 *
 * `target` is a URL (`postgres://user:password@host:5432/database?sslmode=verify-full`), a list of
 * libpq's keywords and values (`host=localhost dbname=app`), or options. `options` go before what
 * the string says, the string before the service that it names, the service before the environment
 * (`PGHOST` and the others of libpq), the environment before the defaults. With several hosts, each
 * connection goes to the first that answers and is what `target_session_attrs` asks for.
 *
 * Throws `UsageError` of code `OPTION_INVALID` for anything that is not understood.
 */
export function postgres(
  target: string | PostgresOptions = "",
  options: PostgresOptions = {},
): PostgresConnector {
  return typeof target === "string"
    ? new PostgresConnector(target, options)
    : new PostgresConnector("", { ...target, ...options });
}

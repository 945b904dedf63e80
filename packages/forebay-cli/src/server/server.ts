// What a server is to the commands. Types only.

/** A PostgreSQL server to work with, and the way to let go of it. */
export interface Server {
  /** A connection URL with everything needed to connect. Holds the password: never print it. */
  readonly url: string;
  /**
   * `given`: the user's own, by `--dsn` or `DATABASE_URL`. `embedded`: started for this run, and
   * gone after it.
   */
  readonly kind: "given" | "embedded";
  /** What and where it is, for people; without secrets. */
  readonly description: string;
  /** The server's version, such as `18.4`, where it is known. */
  readonly version?: string;
  /** The file with the certificate that signed the server's own; only for an embedded server. */
  readonly caFile?: string;
  /**
   * The directory of the server's Unix socket; only for an embedded server on a system that has
   * such sockets.
   */
  readonly socketDir?: string;
  /**
   * Aborted, with a `CliError` of code `SERVER_UNREACHABLE`, when an embedded server ends although
   * nobody stopped it. Never for a given one, whose end shows on its connections only.
   */
  readonly lost: AbortSignal;
  /**
   * Lets go of the server. An embedded one is shut down and its files are removed; a given one is
   * left alone. No effect on a second call. Never rejects.
   */
  stop(): Promise<void>;
}

/** A server that was started by this process. */
export interface EmbeddedServer extends Server {
  readonly kind: "embedded";
  readonly version: string;
  readonly caFile: string;
  readonly host: string;
  readonly port: number;
  /** The name of the superuser, who may connect to every database. */
  readonly user: string;
  readonly password: string;
  /** The process id of the server's main process; another after a restart. */
  readonly pid: number;
  /**
   * Stops the server and starts it again on the same port: `fast` ends every session and shuts down
   * in order, `immediate` is a crash, after which it recovers. `settings` hold until the next
   * restart. Resolves when it lets sessions in; rejects with a `CliError` when it does not start.
   * One at a time; not on Windows.
   */
  restart(
    how: "fast" | "immediate",
    settings?: Readonly<Record<string, string | number>>,
  ): Promise<void>;
}

/** How an embedded server is started. */
export interface EmbeddedOptions {
  /** @defaultValue 100, as in PostgreSQL */
  readonly maxConnections?: number | undefined;
  /** Further server settings by name. They win over those that are set here. @defaultValue none */
  readonly settings?: Readonly<Record<string, string | number | boolean>> | undefined;
  /** Lines of `pg_hba.conf` that come before all others. @defaultValue none */
  readonly hba?: readonly string[] | undefined;
  /** Whether this process and the server are kept apart first: see `pinProcessors`. */
  readonly pinned?: boolean | undefined;
  /** Aborting gives up the start, leaves nothing behind, and rejects with `signal.reason`. */
  readonly signal?: AbortSignal | undefined;
  /** Told of each step of the start, in a few words. */
  readonly onProgress?: ((step: string) => void) | undefined;
}

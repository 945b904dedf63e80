// What a connection can do beyond running statements: found at run time, by the presence of a
// member or because the driver says so. Each capability is a small interface, so that code can ask
// for exactly what it needs.

import type { DriverConn, DriverResult, OperationOptions } from "./driver.ts";

/**
 * Something that not every driver can do.
 *
 * - `ping`: `DriverConn.ping`.
 * - `reset`: `PooledConn.resetSession`.
 * - `validity`: `PooledConn.isValid`.
 * - `cancel`: an aborted signal stops the statement on the server too, and the connection stays
 *   usable. Without it the driver rejects all the same, and gives the connection up. Shown by
 *   `DriverConn.capabilities`.
 * - `deadline`: `ExecOptions.timeoutMs` holds. Shown by `DriverConn.capabilities`.
 * - `loss`: the connector calls `ConnectOptions.onLost`, also for an idle connection. Shown by
 *   `DriverConn.capabilities`.
 * - `named-args`: `DriverConn.takesNamedArgs`.
 * - `check-arg`: `DriverConn.checkArg`.
 * - `copy`: `CopyConn`.
 * - `statement-cache`: `StatementCacheConn`.
 * - `pipelining`: `PipelineConn`.
 * - `listen`: `ListenConn`.
 */
export type Capability =
  | "ping"
  | "reset"
  | "validity"
  | "cancel"
  | "deadline"
  | "loss"
  | "named-args"
  | "check-arg"
  | "copy"
  | "statement-cache"
  | "pipelining"
  | "listen";

/** Data to copy, in the format that the statement names; it may be cut anywhere. */
export type CopyData = Iterable<Uint8Array | string> | AsyncIterable<Uint8Array | string>;

/** Takes a stream of data into a table: the capability `copy`. */
export interface CopyConn extends DriverConn {
  /**
   * Runs a statement that takes data, such as `COPY … FROM STDIN`, with what `source` gives, read
   * no faster than the server takes it. When the source throws, nothing is copied and this rejects
   * with that error.
   */
  copyIn(
    sql: string,
    source: CopyData,
    options?: OperationOptions,
  ): Promise<{ readonly rowsAffected: number }>;
}

/**
 * Keeps prepared statements of its own for texts that it has met before: the capability
 * `statement-cache`. Nobody above the driver sees them.
 */
export interface StatementCacheConn extends DriverConn {
  /**
   * Frees all of them, on the server with the next request; for after a change of the schema, or of
   * the search path.
   */
  clearStatementCache(): void;
}

/** One statement of several that are sent together. */
export interface PipelinedStatement {
  readonly sql: string;
  readonly args?: readonly unknown[] | undefined;
}

/**
 * Sends several statements without waiting for each answer: the capability `pipelining`. To the
 * rules of the contract this is one call.
 */
export interface PipelineConn extends DriverConn {
  /**
   * Runs the statements in order, in one transaction unless one is open already, and gives their
   * results in order. Rejects with the first error; then none of them has happened, and an open
   * transaction has failed.
   */
  pipeline(
    statements: readonly PipelinedStatement[],
    options?: OperationOptions,
  ): Promise<readonly DriverResult[]>;
}

/** Hears what other sessions notify: the capability `listen`. */
export interface ListenConn extends DriverConn {
  /**
   * Begins to listen on a channel. `onNotification` is called for each notification that arrives,
   * in order, until `unlisten`, a reset of the session, or the end of the connection.
   */
  listen(channel: string, onNotification: (payload: string) => void): Promise<void>;
  /** Ends it. No effect for a channel that nobody listens on. */
  unlisten(channel: string): Promise<void>;
}

/** The member that shows a capability by being there. */
const SHOWN_BY: ReadonlyMap<string, Capability> = new Map<string, Capability>([
  ["ping", "ping"],
  ["resetSession", "reset"],
  ["isValid", "validity"],
  ["checkArg", "check-arg"],
  ["copyIn", "copy"],
  ["clearStatementCache", "statement-cache"],
  ["pipeline", "pipelining"],
  ["listen", "listen"],
]);

/**
 * What a connection can do beyond what every driver must. Looks at the connection, and calls
 * nothing.
 *
 * @example
 * ```ts
 * import type { DB } from "forebay";
 * import { capabilitiesOf } from "forebay/driver";
 *
 * async function canCopy(db: DB): Promise<boolean> {
 *   return db.withConn((conn) => conn.raw((driver) => capabilitiesOf(driver).has("copy")));
 * }
 * ```
 */
export function capabilitiesOf(conn: DriverConn): ReadonlySet<Capability> {
  const found = new Set(conn.capabilities ?? []);
  if (conn.takesNamedArgs === true) found.add("named-args");
  const members = conn as unknown as Readonly<Record<string, unknown>>;
  for (const [member, capability] of SHOWN_BY) {
    if (typeof members[member] === "function") found.add(capability);
  }
  return found;
}

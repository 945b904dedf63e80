// Whether a pooler stands between a connection and the server, and whether it gives each
// transaction another session: then nothing that belongs to a session works.

import { type Clock, systemClock } from "../base/clock.ts";
import { UsageError } from "../base/errors.ts";
import type { Connector, OperationOptions } from "../driver/driver.ts";
import { linkSignals } from "../sql/signals.ts";
import type { DB, DBBulkhead } from "../sql/db.ts";
import type { PgConnection } from "./wire/connection.ts";

/** What of a connection is looked at. */
export type ProbedConn = Pick<PgConnection, "query" | "processId" | "isValid" | "close">;

/**
 * What stands between a client and the server.
 *
 * - `none`: nothing that matters; the session is the client's own.
 * - `session`: a pooler that gives each client a session of the server for itself, as far as can be
 *   seen from here.
 * - `transaction`: a pooler that gives each transaction, or each statement, any session.
 * - `unknown`: a pooler of which no more could be found out.
 */
export type PoolerKind = "none" | "session" | "transaction" | "unknown";

/** How long the second connection may take, in milliseconds. */
export const PROBE_BOUND_MS: number = 2000;

const PID = "SELECT pg_catalog.pg_backend_pid()";

const known = new WeakMap<Connector<ProbedConn>, PoolerKind>();

/**
 * Finds out what stands between this client and the server, and remembers it for the connector.
 *
 * The server tells each client the number of its process. Where statements run in a process of
 * another number, a pooler made the number up; only then a second connection is opened for a
 * moment. That both meet in one process of the server, or that one of them changes processes, is
 * proof of transaction pooling. That they do not is a strong hint only: a pooler under load may
 * hide it.
 *
 * Rejects as connecting does, and with `signal.reason`.
 */
export function detectPooler(
  db: DB<PgConnection> | DBBulkhead<PgConnection>,
  options?: OperationOptions,
): Promise<PoolerKind> {
  const { connector } = db;
  return db.withConn(
    (conn) => conn.raw((pg) => poolerBehind(connector, pg, options), options),
    options,
  );
}

/** What `detectPooler` needs to know beside the connection. */
export interface ProbeOptions extends OperationOptions {
  /** For the second connection; see `ConnectOptions.settings`. */
  readonly settings?: unknown;
  /** @defaultValue the process's own */
  readonly clock?: Clock | undefined;
}

/** The same, for a connection that `connector` made and that is not in use. */
export async function poolerBehind(
  connector: Connector<ProbedConn>,
  conn: ProbedConn,
  options: ProbeOptions = {},
): Promise<PoolerKind> {
  const remembered = known.get(connector);
  if (remembered !== undefined) return remembered;
  const { signal } = options;
  const first = await processOf(conn, signal);
  const kind = first === conn.processId ? "none" : await modeOf(connector, conn, first, options);
  signal?.throwIfAborted();
  if (conn.isValid()) known.set(connector, kind);
  return kind;
}

/** The error of what needs a session and has none. */
export function poolerUnsupported(what: string, instead: string): UsageError {
  return new UsageError(
    "POOLER_UNSUPPORTED",
    `${what} cannot work here: a pooler between this client and the server gives each ` +
      `transaction another session. ${instead}`,
  );
}

async function modeOf(
  connector: Connector<ProbedConn>,
  conn: ProbedConn,
  first: number,
  { signal, settings, clock = systemClock }: ProbeOptions,
): Promise<PoolerKind> {
  // A pooler that hands its sessions out in turn shows it here already.
  if ((await processOf(conn, signal)) !== first) return "transaction";
  const bound = new AbortController();
  const timer = clock.setTimer(PROBE_BOUND_MS, () => bound.abort(new Error("it took too long")));
  const link = linkSignals(signal ?? bound.signal, bound.signal);
  const with_ = { signal: link.signal };
  let other: ProbedConn | undefined;
  try {
    other = await connector.connect({ ...with_, settings, onLost: () => undefined });
    // A pooler that hands out the session used last gives this one the first one's, or the first
    // one, now, this one's.
    if ((await processOf(other, link.signal)) === first) return "transaction";
    return (await processOf(conn, link.signal)) === first ? "session" : "transaction";
  } catch {
    return "unknown";
  } finally {
    timer.cancel();
    link.unlink();
    await other?.close();
  }
}

async function processOf(conn: ProbedConn, signal: AbortSignal | undefined): Promise<number> {
  const { rows } = await conn.query(PID, [], { signal, rowMode: "array" });
  const [row] = rows as readonly (readonly unknown[])[];
  return Number(row?.[0]);
}

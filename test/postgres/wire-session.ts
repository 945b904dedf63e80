// What the tests of the wire client share: connections to the server of the run that are closed
// after each test, and a look at the server from outside.

import { afterEach, inject } from "vitest";
import {
  type PgConnection,
  postgres,
  type PostgresOptions,
} from "../../packages/forebay/src/postgres/index.ts";

const open: PgConnection[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((conn) => conn.close()));
});

/** A connection, and how it was lost, if it was. */
export interface Session {
  readonly conn: PgConnection;
  /** Resolves with the reason once the connection is lost. */
  readonly lost: Promise<unknown>;
}

/** Connects, by default as the superuser with TLS. */
export async function openSession(
  options: PostgresOptions = {},
  url: string = inject("postgresUrl"),
): Promise<Session> {
  let onLost: (reason: unknown) => void = () => {};
  const lost = new Promise<unknown>((resolve) => {
    onLost = resolve;
  });
  const { signal } = new AbortController();
  const conn = await postgres(url, { env: {}, ...options }).connect({ signal, onLost });
  open.push(conn);
  return { conn, lost };
}

/** Connects, by default as the superuser with TLS. */
export async function connect(options?: PostgresOptions, url?: string): Promise<PgConnection> {
  return (await openSession(options, url)).conn;
}

/** Connects as the superuser; whoever asks for it closes it. */
export function unownedConnection(): Promise<PgConnection> {
  const { signal } = new AbortController();
  const options = { signal, onLost: () => undefined };
  return postgres(inject("postgresUrl"), { env: {} }).connect(options);
}

/** The rows of a statement. */
export async function rowsOf(
  conn: PgConnection,
  sql: string,
  args: readonly unknown[] = [],
): Promise<Record<string, unknown>[]> {
  return (await conn.query(sql, args)).rows as Record<string, unknown>[];
}

/** What a promise is rejected with; throws if it is not. */
export async function errorOf(promise: Promise<unknown>): Promise<unknown> {
  const outcome = await promise.then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  if (outcome === undefined) throw new Error("expected a rejection");
  return outcome.error;
}

/** Asks the server again and again until `sql` gives true. */
export async function eventually(
  conn: PgConnection,
  sql: string,
  args: readonly unknown[],
): Promise<void> {
  for (;;) {
    const [row] = await rowsOf(conn, sql, args);
    if (row !== undefined && Object.values(row)[0] === true) return;
    await conn.query("SELECT pg_sleep(0.005)", []);
  }
}

/** Waits until a session is in the middle of a statement that waits, such as `pg_sleep`. */
export function untilBusy(observer: PgConnection, processId: number): Promise<void> {
  return eventually(
    observer,
    `SELECT count(*) > 0 FROM pg_stat_activity
       WHERE pid = $1 AND state = 'active' AND wait_event_type NOT IN ('Client')`,
    [processId],
  );
}

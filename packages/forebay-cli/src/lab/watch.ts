// Looks at the server while an arm runs: how many backends an arm has, through the watcher's own
// connection.

import { type LabClock, pause } from "./clock.ts";
import type { LabDb } from "./pools.ts";

const COUNT_SQL = `
  SELECT count(*)::int AS count FROM pg_stat_activity
  WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
    AND ($1::text IS NULL OR application_name = $1)`;

/** What was seen of an arm's backends. */
export interface BackendWatch {
  /** [milliseconds from the start, backends]. */
  readonly points: readonly (readonly [number, number])[];
  readonly peak: number;
}

/**
 * Counts the backends of an arm every `everyMs` until `until` is settled. Never rejects because of
 * `until`; rejects when the server cannot be asked.
 */
export async function watchBackends(
  watcher: LabDb,
  clock: LabClock,
  options: {
    /**
     * Whose backends; undefined for all but the watcher's, also those that have not told their name
     * yet.
     */
    readonly applicationName: string | undefined;
    readonly everyMs: number;
  },
  until: Promise<unknown>,
): Promise<BackendWatch> {
  const over = new AbortController();
  const stop = (): void => over.abort();
  void until.then(stop, stop);
  const points: [number, number][] = [];
  const startedAtMs = clock.nowMs();
  for (;;) {
    const { rows } = await watcher.query<{ count: number }>(COUNT_SQL, [
      options.applicationName ?? null,
    ]);
    points.push([clock.nowMs() - startedAtMs, rows[0]?.count ?? 0]);
    if (over.signal.aborted) break;
    await pause(clock, options.everyMs, over.signal).catch(() => undefined);
  }
  return { points, peak: Math.max(...points.map(([, count]) => count)) };
}

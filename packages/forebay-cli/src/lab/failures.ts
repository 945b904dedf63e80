// Failures of requests: what kind each is, and how many there were of each.

/** How many requests failed, by kind. */
export type FailureCounts = Readonly<Record<string, number>>;

/**
 * A short name for a failure: its code (an SQLSTATE, a system or a Forebay code), or else its
 * class.
 */
export function failureKind(error: unknown): string {
  for (let depth = 0, at = error; depth < 4 && typeof at === "object" && at !== null; depth++) {
    const { code } = at as { readonly code?: unknown };
    const { cause } = at as { readonly cause?: unknown };
    const wraps = code === "CONNECT_FAILED" || code === "POOL_TIMEOUT" || code === undefined;
    if (typeof code === "string" && !(wraps && cause !== undefined)) return code;
    if (cause === undefined) break;
    at = cause;
  }
  return error instanceof Error ? error.name : typeof error;
}

/** Counts one failure more. */
export function countFailure(counts: Record<string, number>, kind: string): void {
  counts[kind] = (counts[kind] ?? 0) + 1;
}

/** The failures of several turns together. */
export function failuresOf(
  turns: readonly { readonly failures: FailureCounts }[],
): Record<string, number> {
  const all: Record<string, number> = {};
  for (const { failures } of turns) {
    for (const [kind, count] of Object.entries(failures)) all[kind] = (all[kind] ?? 0) + count;
  }
  return all;
}

/** The same as figures of an arm in a report. */
export function failureMeasures(
  turns: readonly { readonly failures: FailureCounts }[],
): Record<string, number> {
  const all = Object.entries(failuresOf(turns));
  return Object.fromEntries(all.map(([kind, count]) => [`failed ${kind}`, count]));
}

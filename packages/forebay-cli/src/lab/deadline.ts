// A request's own deadline, as the lab's loads give it.

import type { LabClock } from "./clock.ts";

/** Why a request was given up. Failures are counted by its name. */
export class DeadlineError extends Error {
  constructor(deadlineMs: number) {
    super(`the request took longer than ${deadlineMs} ms`);
    this.name = "DeadlineError";
  }
}

/** Runs `run` with a signal that is aborted after `deadlineMs`, or with `signal` if earlier. */
export async function withDeadline<T>(
  clock: LabClock,
  deadlineMs: number,
  signal: AbortSignal,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const own = new AbortController();
  const onAbort = (): void => own.abort(signal.reason);
  signal.throwIfAborted();
  signal.addEventListener("abort", onAbort, { once: true });
  const timer = clock.setTimer(deadlineMs, () => own.abort(new DeadlineError(deadlineMs)));
  try {
    return await run(own.signal);
  } finally {
    timer.cancel();
    signal.removeEventListener("abort", onAbort);
  }
}

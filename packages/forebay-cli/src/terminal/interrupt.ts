// Ctrl-C and the other signals that ask a program to end.

/**
 * How long the work may take to unwind after the first signal, the reports included. What it is
 * made of has limits of its own, which together are shorter.
 */
const GRACE_MS = 30_000;

/** The status that shells expect of a program that a signal ended: 128 and the signal's number. */
const STATUS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/** The user, or the system, asked the program to end. */
export class Interrupted extends Error {
  /** The exit status that tells so. */
  readonly status: number;

  constructor(signal: keyof typeof STATUS) {
    super(`interrupted by ${signal}`);
    this.name = "Interrupted";
    this.status = STATUS[signal];
  }
}

/**
 * Runs `work` with a signal that is aborted, with an `Interrupted`, by the first Ctrl-C, SIGTERM or
 * SIGHUP. A second one, or work that does not unwind in time, ends the process at once; an embedded
 * server still goes with it. `onInterrupt` is called once, at the first.
 */
export async function withInterrupts<T>(
  work: (signal: AbortSignal) => Promise<T>,
  onInterrupt: () => void,
): Promise<T> {
  const controller = new AbortController();
  let deadline: NodeJS.Timeout | undefined;
  const onSignal = (name: keyof typeof STATUS): void => {
    if (controller.signal.aborted) process.exit(STATUS[name]);
    deadline = setTimeout(() => process.exit(STATUS[name]), GRACE_MS);
    onInterrupt();
    controller.abort(new Interrupted(name));
  };
  const handlers = (["SIGINT", "SIGTERM", "SIGHUP"] as const).map((name) => {
    const handler = (): void => onSignal(name);
    process.on(name, handler);
    return () => process.off(name, handler);
  });
  try {
    return await work(controller.signal);
  } finally {
    clearTimeout(deadline);
    // After a signal the program is about to end, and a second one must not change the status.
    if (!controller.signal.aborted) for (const remove of handlers) remove();
  }
}

// A signal that knows who listens to it, so that a test can prove that nobody does any more.

import { getEventListeners } from "node:events";

/** An `AbortController` whose signal can be asked for its listeners. */
export interface TrackedSignal {
  /** To be handed to the code under test. */
  readonly signal: AbortSignal;
  /** Aborts the signal; `reason` is an `AbortError` by default, as with `AbortController`. */
  readonly abort: (reason?: unknown) => void;
  /** How many listen now for `abort`. One that asked for `once` is gone after it was called. */
  readonly listenerCount: number;
  /**
   * Where those who listen now began to, each as the stack of its `addEventListener`; empty text
   * for one that was added in another way, such as `onabort`.
   */
  readonly listenedAt: readonly string[];
}

/**
 * Makes a signal that knows its listeners. Code that is handed a signal must take its listeners
 * away when it ends, or a signal that lives long, such as that of a server's shutdown, collects
 * them.
 *
 * @example
 * ```ts
 * import { trackedSignal } from "forebay/testing";
 *
 * const shutdown = trackedSignal();
 * await fetch("http://localhost/", { signal: shutdown.signal });
 * console.log(shutdown.listenerCount, shutdown.listenedAt);
 * ```
 */
export function trackedSignal(): TrackedSignal {
  const controller = new AbortController();
  const { signal } = controller;
  const stacks = new WeakMap<object, string>();
  const add: (...args: Parameters<AbortSignal["addEventListener"]>) => void =
    signal.addEventListener.bind(signal);
  signal.addEventListener = (...args: Parameters<AbortSignal["addEventListener"]>): void => {
    const [type, listener] = args;
    if (type === "abort" && listener !== null) stacks.set(listener, stackOfCaller());
    add(...args);
  };
  const listeners = (): object[] => getEventListeners(signal, "abort");
  return {
    signal,
    abort: (reason) => controller.abort(reason),
    get listenerCount() {
      return listeners().length;
    },
    get listenedAt() {
      return listeners().map((listener) => stacks.get(listener) ?? "");
    },
  };
}

function stackOfCaller(): string {
  const { stack = "" } = new Error("listened");
  // The message, this function, and `addEventListener`.
  return stack.split("\n").slice(3).join("\n");
}

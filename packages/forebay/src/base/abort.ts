// Listening to abort signals. Whoever passes one signal to many calls at once would otherwise be
// warned by Node of a leak, at the eleventh listener, that is none; and would wait for each removal
// as long as there are listeners. So a signal gets one listener, whatever waits for it.

/** Told once when the signal is aborted. Must not throw. */
export type AbortListener = (() => void) | { handleEvent(): void };

/** All that wait for one signal. */
class Fan {
  readonly #listeners = new Set<AbortListener>();

  /** Tells them in the order in which they came; who is removed meanwhile is not told. */
  readonly #tell = (): void => {
    const listeners = Array.from(this.#listeners);
    for (const listener of listeners) {
      if (!this.#listeners.delete(listener)) continue;
      if (typeof listener === "function") listener();
      else listener.handleEvent();
    }
  };

  add(signal: AbortSignal, listener: AbortListener): void {
    if (this.#listeners.size === 0) signal.addEventListener("abort", this.#tell, { once: true });
    this.#listeners.add(listener);
  }

  remove(signal: AbortSignal, listener: AbortListener): void {
    const wasThere = this.#listeners.delete(listener);
    if (wasThere && this.#listeners.size === 0) signal.removeEventListener("abort", this.#tell);
  }
}

const FANS = new WeakMap<AbortSignal, Fan>();

/**
 * Has `listener` told when the signal is aborted; never for one that has been. Remove it when the
 * signal does not matter any more. No effect for a listener that waits already.
 */
export function addAbortListener(signal: AbortSignal, listener: AbortListener): void {
  let fan = FANS.get(signal);
  if (fan === undefined) {
    fan = new Fan();
    FANS.set(signal, fan);
  }
  fan.add(signal, listener);
}

/** Ends that. No effect for a listener that does not wait. */
export function removeAbortListener(signal: AbortSignal, listener: AbortListener): void {
  FANS.get(signal)?.remove(signal, listener);
}

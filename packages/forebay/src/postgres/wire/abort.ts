// Waiting for a promise no longer than a signal allows.

/**
 * Settles as `promise` does, or rejects with `signal.reason` when that comes first. What `promise`
 * does afterwards is of no interest, so it should be one whose outcome someone else sees to, or
 * that has none to speak of.
 */
export function orAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    const cleanUp = () => signal.removeEventListener("abort", onAbort);
    if (signal.aborted) {
      onAbort();
    } else {
      signal.addEventListener("abort", onAbort, { once: true });
    }
    void promise.then(resolve, reject).then(cleanUp);
  });
}

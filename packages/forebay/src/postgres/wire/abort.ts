// Waiting for a promise no longer than a signal allows.

import { addAbortListener, removeAbortListener } from "../../base/abort.ts";

/**
 * Settles as `promise` does, or rejects with `signal.reason` when that comes first. What `promise`
 * does afterwards is of no interest, so it should be one whose outcome someone else sees to, or
 * that has none to speak of.
 */
export function orAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    const cleanUp = () => removeAbortListener(signal, onAbort);
    if (signal.aborted) {
      onAbort();
    } else {
      addAbortListener(signal, onAbort);
    }
    void promise.then(resolve, reject).then(cleanUp);
  });
}

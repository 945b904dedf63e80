// Two abort signals as one. AbortSignal.any would do, but it keeps something for each call as long
// as the longer-lived signal lives; here the caller says when the call is over.

import { addAbortListener, removeAbortListener } from "../base/abort.ts";

/** A signal that follows two others until `unlink`. */
export interface LinkedSignal {
  readonly signal: AbortSignal;
  unlink(): void;
}

/**
 * Aborts, with the same reason, as soon as one of the two does. Always call `unlink` in the end.
 */
export function linkSignals(one: AbortSignal, other: AbortSignal): LinkedSignal {
  const controller = new AbortController();
  const onOne = (): void => controller.abort(one.reason);
  const onOther = (): void => controller.abort(other.reason);
  if (one.aborted) onOne();
  else if (other.aborted) onOther();
  addAbortListener(one, onOne);
  addAbortListener(other, onOther);
  return {
    signal: controller.signal,
    unlink: () => {
      removeAbortListener(one, onOne);
      removeAbortListener(other, onOther);
    },
  };
}

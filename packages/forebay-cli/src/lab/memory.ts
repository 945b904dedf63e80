// Memory that is alive: what is left after a garbage collection. For showing what a stream buffers.

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

let collect: (() => void) | undefined;

/** Collects all garbage now. */
export function collectGarbage(): void {
  if (collect === undefined) {
    setFlagsFromString("--expose-gc");
    collect = runInNewContext("gc") as () => void;
  }
  // Buffers are let go of only after the objects that held them: by the second collection.
  collect();
  collect();
}

/** Bytes of JavaScript objects and of buffers; what is alive only right after `collectGarbage`. */
export function liveBytes(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

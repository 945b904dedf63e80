// What one operation takes of this process, where that is microseconds: CPU time over many of them,
// and the bytes that each allocates.

import { getHeapStatistics } from "node:v8";
import { median } from "./compare.ts";
import { collectGarbage } from "./memory.ts";
import type { ScenarioContext } from "./scenario.ts";

/** So many operations go by before the event loop is given a turn, to hear of an abort. */
const AT_A_STRETCH = 5000;

/**
 * Runs `operations` one after the other; gives the CPU time of each, garbage collection included,
 * in nanoseconds. CPU time, since other programs do not add to it. Rejects on abort.
 */
export async function cpuNsOf(
  context: ScenarioContext,
  operations: number,
  operate: () => Promise<unknown>,
): Promise<number> {
  context.loop.begin();
  await runMany(context, operations, operate);
  return (context.loop.end("effect").clientCpuMs * 1e6) / operations;
}

/** Runs `operations` one after the other, with a turn of the event loop now and then. */
export async function runMany(
  { clock, signal }: ScenarioContext,
  operations: number,
  operate: () => Promise<unknown>,
): Promise<void> {
  for (let done = 0; done < operations; done += AT_A_STRETCH) {
    const stretch = Math.min(AT_A_STRETCH, operations - done);
    for (let index = 0; index < stretch; index++) await operate();
    await new Promise<void>((resolve) => {
      clock.afterIo(resolve);
    });
    signal.throwIfAborted();
  }
}

/** Few enough that they fill no young generation, so that nothing is collected meanwhile. */
const OPERATIONS_WEIGHED = 300;
const WEIGHINGS = 9;

/**
 * Bytes that one operation allocates on the heap, whether or not they are kept: the median of some
 * weighings, in steps of what V8 counts. The operation must have run often enough to be compiled.
 */
export async function allocatedBytes(operate: () => Promise<unknown>): Promise<number> {
  const weighed: number[] = [];
  for (let weighing = 0; weighing < WEIGHINGS; weighing++) {
    collectGarbage();
    const before = getHeapStatistics().used_heap_size;
    for (let index = 0; index < OPERATIONS_WEIGHED; index++) await operate();
    weighed.push((getHeapStatistics().used_heap_size - before) / OPERATIONS_WEIGHED);
  }
  return median(weighed);
}

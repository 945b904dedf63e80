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

/**
 * As `cpuNsOf`, for what is done at once. `call` gives a number that depends on what it did, so
 * that it cannot be left out.
 */
export function cpuNsOfCall(context: ScenarioContext, calls: number, call: () => number): number {
  context.loop.begin();
  const total = repeat(calls, call);
  const { clientCpuMs } = context.loop.end("effect");
  if (Number.isNaN(total)) throw new RangeError("what was called gave no number");
  return (clientCpuMs * 1e6) / calls;
}

function repeat(calls: number, call: () => number): number {
  let total = 0;
  for (let index = 0; index < calls; index++) total += call();
  return total;
}

/** Few enough that they fill no young generation, so that nothing is collected meanwhile. */
const OPERATIONS_WEIGHED = 300;
const WEIGHINGS = 9;

/**
 * Bytes that one operation allocates on the heap, whether or not they are kept: the median of some
 * weighings, in steps of what V8 counts. The operation must have run often enough to be compiled.
 */
export async function allocatedBytes(operate: () => Promise<unknown>): Promise<number> {
  return weigh(async () => {
    for (let index = 0; index < OPERATIONS_WEIGHED; index++) await operate();
  });
}

/** As `allocatedBytes`, for what is done at once; `call` as in `cpuNsOfCall`. */
export function allocatedBytesOfCall(call: () => number): Promise<number> {
  return weigh(() => {
    repeat(OPERATIONS_WEIGHED, call);
  });
}

async function weigh(run: () => void | Promise<void>): Promise<number> {
  const weighed: number[] = [];
  for (let weighing = 0; weighing < WEIGHINGS; weighing++) {
    collectGarbage();
    const before = getHeapStatistics().used_heap_size;
    await run();
    weighed.push((getHeapStatistics().used_heap_size - before) / OPERATIONS_WEIGHED);
  }
  return median(weighed);
}

// P9: how long the last of those who wait is kept waiting when all connections die at once.

import { setTimeout as delay } from "node:timers/promises";
import type { Bench, BenchContext, Comparison } from "./bench.ts";
import { CONTENDERS, type ContenderName, makeContender } from "./pools.ts";

const DIAL_MS = 200;
const HOLD_MS = 1;
const CASES = [
  { connections: 4, waiters: 4 },
  { connections: 10, waiters: 20 },
];

/** P9. */
export const redialBench: Bench = {
  id: "P9",
  title: `all connections killed at once; a dial takes ${DIAL_MS} ms`,
  run: async (context: BenchContext): Promise<Comparison[]> => {
    const rounds = context.effort === "quick" ? 2 : 9;
    const lines: Comparison[] = [];
    for (const [place, one] of CASES.entries()) {
      const samples = new Map(CONTENDERS.map((name) => [name, [] as number[]]));
      const dials: number[] = [];
      for (let round = 0; round < rounds; round++) {
        dials.push(await oneDial());
        for (const name of CONTENDERS) {
          context.signal.throwIfAborted();
          const fraction = (place + round / rounds) / CASES.length;
          context.onProgress(
            `${one.connections} connections, round ${round + 1}: ${name}`,
            fraction,
          );
          samples.get(name)?.push(await lastServedMs(name, one.connections, one.waiters));
        }
      }
      lines.push(...compare(`${one.connections} killed, ${one.waiters} wait`, samples, dials));
    }
    return lines;
  },
};

function compare(
  what: string,
  samples: ReadonlyMap<ContenderName, readonly number[]>,
  dials: readonly number[],
): Comparison[] {
  const own = {
    what,
    unit: "ms" as const,
    ours: "forebay",
    oursSamples: samples.get("forebay") ?? [],
  };
  const target = { op: "<=", limit: 1.5 } as const;
  return [
    { ...own, other: "one dial", otherSamples: dials, target },
    ...CONTENDERS.filter((name) => name !== "forebay").map((other) => ({
      ...own,
      other,
      otherSamples: samples.get(other) ?? [],
    })),
  ];
}

/** What the fake dial really takes, on this machine, now. */
async function oneDial(): Promise<number> {
  const startedAtMs = performance.now();
  await delay(DIAL_MS);
  return performance.now() - startedAtMs;
}

/**
 * All connections are in use, and others wait. All die; each holder notices and gives its own back,
 * in the way that its pool offers for dead ones. From then on until the last waiter has been
 * served.
 */
async function lastServedMs(
  name: ContenderName,
  connections: number,
  waiters: number,
): Promise<number> {
  const pool = makeContender(name, { connections, dialMs: DIAL_MS });
  const held = await Promise.all(Array.from({ length: connections }, () => pool.acquire()));
  const served = Array.from({ length: waiters }, async () => {
    const taken = await pool.acquire();
    const servedAtMs = performance.now();
    await delay(HOLD_MS);
    pool.release(taken);
    return servedAtMs;
  });
  const killedAtMs = performance.now();
  for (const taken of held) pool.kill(taken);
  for (const taken of held) pool.discard(taken);
  return Math.max(...(await Promise.all(served))) - killedAtMs;
}

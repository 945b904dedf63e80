// P8: whether the cost of an operation grows with the number of waiters or of connections.

import type { Bench, BenchContext, Comparison } from "./bench.ts";
import { runContest, seriesOf, type Standings } from "./contest.ts";

const TARGET = { op: "<=", limit: 1.3 } as const;
const OURS = "forebay";
/** The same steps on bare promises and bare signals: what memory alone costs at that depth. */
const BARE = "bare";

const STEPS = [
  { key: "queue.acquire", what: "acquire, joining a queue" },
  { key: "queue.grant", what: "release, granting to the head" },
  { key: "abort.abort", what: "abort in the middle of the queue" },
];

/** P8. */
export const growthBench: Bench = {
  id: "P8",
  title: "growth with waiters and connections",
  run: async (context: BenchContext): Promise<Comparison[]> => {
    const isQuick = context.effort === "quick";
    const rounds = isQuick ? 3 : 13;
    const depth = isQuick ? 20_000 : 100_000;
    const standings = await runContest({
      worker: new URL("./p8-worker.ts", import.meta.url).href,
      contenders: [OURS, BARE],
      tasks: ["queue", "abort", "stats"].map((job) => ({ job, amount: depth })),
      rounds,
      signal: context.signal,
      onRound: (round, name) => context.onProgress(`round ${round}: ${name}`, round / (rounds + 1)),
    });
    const large = `${depth / 1000} 000`;
    return [
      ...STEPS.flatMap(({ key, what }) => queueLines(standings, key, what, large)),
      growth(standings, "stats.stats", "stats()", "1 000", "10"),
    ];
  },
};

function queueLines(standings: Standings, key: string, what: string, large: string): Comparison[] {
  const own = growth(standings, key, what, large, "10");
  const { target: _, ...bare } = growth(standings, key, `${what} (${BARE})`, large, "10", BARE);
  return [own, bare];
}

function growth(
  standings: Standings,
  key: string,
  what: string,
  large: string,
  small: string,
  contender: string = OURS,
): Comparison {
  return {
    what,
    unit: "ns",
    ours: large,
    oursSamples: seriesOf(standings, contender, `${key}Large`),
    other: small,
    otherSamples: seriesOf(standings, contender, `${key}Small`),
    target: TARGET,
  };
}

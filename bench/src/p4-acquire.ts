// P4: what one acquire and release cost the event loop.

import type { Bench, BenchContext, Comparison, Target } from "./bench.ts";
import { runContest, seriesOf, type Standings } from "./contest.ts";
import { CONTENDERS } from "./pools.ts";
import { spreadOf } from "./spread.ts";

const KINDS = [
  { job: "uncontended", what: "uncontended", limitNs: 250 },
  { job: "contended", what: "64 callers for 10", limitNs: 400 },
];
const PEER_RATIO_MAX = 0.5;

/** P4. */
export const acquireBench: Bench = {
  id: "P4",
  title: "acquire + release of a fake resource, awaited",
  run: async (context: BenchContext): Promise<Comparison[]> => {
    const isQuick = context.effort === "quick";
    const rounds = isQuick ? 3 : 7;
    const generations = isQuick ? 1 : 5;
    const standings = await runContest({
      worker: new URL("./p4-worker.ts", import.meta.url).href,
      contenders: CONTENDERS,
      tasks: KINDS.map(({ job }) => ({ job, amount: isQuick ? 50_000 : 200_000 })),
      rounds,
      generations,
      signal: context.signal,
      onRound: (round, name) =>
        context.onProgress(`round ${round}: ${name}`, round / (rounds * generations + 1)),
    });
    return KINDS.flatMap(({ job, what, limitNs }) => compare(standings, job, what, limitNs));
  },
};

function compare(standings: Standings, job: string, what: string, limitNs: number): Comparison[] {
  const series = (name: string) => seriesOf(standings, name, `${job}.ns`);
  const ours = "forebay";
  const medianOf = (name: string) => spreadOf(series(name)).median;
  const peers = CONTENDERS.filter((name) => name !== ours).sort(
    (a, b) => medianOf(a) - medianOf(b),
  );
  const own = { what, unit: "ns" as const, ours, oursSamples: series(ours) };
  const alone: Target = { op: "<=", limit: limitNs };
  const beside: Target = { op: "<=", limit: PEER_RATIO_MAX };
  return [
    { ...own, target: alone },
    ...peers.map((other, place) => ({
      ...own,
      other,
      otherSamples: series(other),
      // The target is set against the best of them; the others are shown.
      ...(place === 0 ? { target: beside } : {}),
    })),
  ];
}

// What P5 and P6 have in common: many rows into a table of a real server, by each contender in
// turn.

import { environmentOf, startAccounts } from "./accounts.ts";
import type { Bench, Comparison, Target } from "./bench.ts";
import { runContest, seriesOf } from "./contest.ts";

const ROWS = 100_000;

/** One of ours beside one of the others. */
export interface BulkPair {
  readonly ours: string;
  readonly other: string;
  /** What the time is to be, ours over the other's. */
  readonly target?: Target;
}

/** A benchmark of bulk loading. */
export interface BulkBench {
  readonly id: string;
  readonly title: string;
  /** The module that the contenders run in, and its job. */
  readonly worker: string;
  readonly job: "copy" | "insert";
  readonly contenders: readonly string[];
  readonly rounds: number;
  readonly pairs: readonly BulkPair[];
}

/** Makes the benchmark. */
export function bulkBench({ id, title, job, pairs, ...contest }: BulkBench): Bench {
  return {
    id,
    title,
    run: async (context): Promise<Comparison[]> => {
      const { signal } = context;
      const isQuick = context.effort === "quick";
      const rounds = isQuick ? 3 : contest.rounds;
      context.onProgress("starting a server", 0);
      const { server, access } = await startAccounts(1, signal);
      try {
        const standings = await runContest({
          worker: contest.worker,
          contenders: contest.contenders,
          tasks: [{ job, amount: isQuick ? ROWS / 10 : ROWS }],
          rounds,
          env: environmentOf(access),
          signal,
          onRound: (round, name) =>
            context.onProgress(`round ${round}: ${name}`, round / (rounds + 1)),
        });
        const compare = (what: string, figure: string): Comparison[] =>
          pairs.map(({ ours, other, target }) => ({
            what,
            unit: "ms",
            ours,
            oursSamples: seriesOf(standings, ours, figure),
            other,
            otherSamples: seriesOf(standings, other, figure),
            ...(what === "time" && target !== undefined ? { target } : {}),
          }));
        return [...compare("time", `${job}.ms`), ...compare("client CPU", `${job}.cpuMs`)];
      } finally {
        await server.stop();
      }
    },
  };
}

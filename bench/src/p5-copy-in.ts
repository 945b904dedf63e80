// P5: COPY into a table on a real server, from rows as a program has them.

import { environmentOf, startAccounts } from "./accounts.ts";
import type { Bench, BenchContext, Comparison, Target } from "./bench.ts";
import { runContest, seriesOf, type Standings } from "./contest.ts";
import { COPIERS, type CopierName } from "./p5-copiers.ts";

const ROWS = 100_000;
const OURS: readonly CopierName[] = ["forebay rows", "forebay rows, binary", "forebay text"];
const PEER = "pg-copy-streams";
const TARGETS: Readonly<Partial<Record<CopierName, Target>>> = {
  "forebay rows": { op: "<=", limit: 1 },
};

/** P5. */
export const copyInBench: Bench = {
  id: "P5",
  title: "COPY of 100 000 (int, text) rows; ours from arrays, the peer from ready-made text",
  run: async (context: BenchContext): Promise<Comparison[]> => {
    const isQuick = context.effort === "quick";
    const rounds = isQuick ? 3 : 15;
    context.onProgress("starting a server", 0);
    const { server, access } = await startAccounts(1, context.signal);
    try {
      const standings = await runContest({
        worker: new URL("./p5-worker.ts", import.meta.url).href,
        contenders: COPIERS,
        tasks: [{ job: "copy", amount: isQuick ? ROWS / 10 : ROWS }],
        rounds,
        env: environmentOf(access),
        signal: context.signal,
        onRound: (round, name) =>
          context.onProgress(`round ${round}: ${name}`, round / (rounds + 1)),
      });
      return [
        ...compare(standings, "time", "copy.ms"),
        ...compare(standings, "client CPU", "copy.cpuMs"),
      ];
    } finally {
      await server.stop();
    }
  },
};

function compare(standings: Standings, what: string, figure: string): Comparison[] {
  return OURS.map((ours) => ({
    what,
    unit: "ms" as const,
    ours,
    oursSamples: seriesOf(standings, ours, figure),
    other: PEER,
    otherSamples: seriesOf(standings, PEER, figure),
    ...(what === "time" && TARGETS[ours] !== undefined ? { target: TARGETS[ours] } : {}),
  }));
}

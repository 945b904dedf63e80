// P6: many rows by INSERT on a real server, by unnest of arrays.

import { environmentOf, startAccounts } from "./accounts.ts";
import type { Bench, BenchContext, Comparison, Target } from "./bench.ts";
import { runContest, seriesOf, type Standings } from "./contest.ts";
import { INSERTERS, type InserterName } from "./p6-inserters.ts";

const ROWS = 100_000;
const OURS: InserterName = "insertMany";
const TARGETS: Readonly<Partial<Record<InserterName, Target>>> = {
  "pg unnest by 1000": { op: "<=", limit: 0.8 },
};

/** P6. */
export const bulkInsertBench: Bench = {
  id: "P6",
  title: "insert of 100 000 (int, text) rows by unnest",
  run: async (context: BenchContext): Promise<Comparison[]> => {
    const isQuick = context.effort === "quick";
    const rounds = isQuick ? 3 : 9;
    context.onProgress("starting a server", 0);
    const { server, access } = await startAccounts(1, context.signal);
    try {
      const standings = await runContest({
        worker: new URL("./p6-worker.ts", import.meta.url).href,
        contenders: INSERTERS,
        tasks: [{ job: "insert", amount: isQuick ? ROWS / 10 : ROWS }],
        rounds,
        env: environmentOf(access),
        signal: context.signal,
        onRound: (round, name) =>
          context.onProgress(`round ${round}: ${name}`, round / (rounds + 1)),
      });
      return [
        ...compare(standings, "time", "insert.ms"),
        ...compare(standings, "client CPU", "insert.cpuMs"),
      ];
    } finally {
      await server.stop();
    }
  },
};

function compare(standings: Standings, what: string, figure: string): Comparison[] {
  return INSERTERS.filter((name) => name !== OURS).map((other) => ({
    what,
    unit: "ms" as const,
    ours: OURS,
    oursSamples: seriesOf(standings, OURS, figure),
    other,
    otherSamples: seriesOf(standings, other, figure),
    ...(what === "time" && TARGETS[other] !== undefined ? { target: TARGETS[other] } : {}),
  }));
}

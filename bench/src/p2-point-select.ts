// P2: point selects on a real server, one query at a time on each connection.

import { environmentOf, startAccounts } from "./accounts.ts";
import type { Bench, BenchContext, Comparison, Target } from "./bench.ts";
import { CLIENTS, type ClientName } from "./clients.ts";
import { runContest, seriesOf, type Standings } from "./contest.ts";

const TARGETS: Readonly<Partial<Record<ClientName, Target>>> = {
  "wire floor": { op: ">=", limit: 0.85 },
  pg: { op: ">=", limit: 1.5 },
  "postgres.js": { op: ">=", limit: 1.5 },
};
const OURS: readonly ClientName[] = ["forebay Stmt", "forebay queryRow"];

/** P2. */
export const pointSelectBench: Bench = {
  id: "P2",
  title: "point selects by primary key, prepared: 10 connections, 64 callers",
  run: async (context: BenchContext): Promise<Comparison[]> => {
    const isQuick = context.effort === "quick";
    const rounds = isQuick ? 3 : 9;
    context.onProgress("starting a server and filling the table", 0);
    const { server, access } = await startAccounts(isQuick ? 100_000 : 1_000_000, context.signal);
    try {
      const standings = await runContest({
        worker: new URL("./p2-worker.ts", import.meta.url).href,
        contenders: CLIENTS,
        tasks: [{ job: "select", amount: isQuick ? 500 : 2000 }],
        rounds,
        env: environmentOf(access),
        signal: context.signal,
        onRound: (round, name) =>
          context.onProgress(`round ${round}: ${name}`, round / (rounds + 1)),
      });
      return OURS.flatMap((ours) => compare(standings, ours));
    } finally {
      await server.stop();
    }
  },
};

function compare(standings: Standings, ours: ClientName): Comparison[] {
  const others = CLIENTS.filter((name) => !OURS.includes(name));
  return [
    ...others.map((other) => ({
      what: "throughput",
      unit: "queries/s" as const,
      ours,
      oursSamples: seriesOf(standings, ours, "select.rate"),
      other,
      otherSamples: seriesOf(standings, other, "select.rate"),
      ...(TARGETS[other] === undefined ? {} : { target: TARGETS[other] }),
    })),
    ...others.map((other) => ({
      what: "client CPU",
      unit: "us/query" as const,
      ours,
      oursSamples: seriesOf(standings, ours, "select.cpuUs"),
      other,
      otherSamples: seriesOf(standings, other, "select.cpuUs"),
    })),
  ];
}

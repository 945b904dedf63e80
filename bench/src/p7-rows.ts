// P7: a large result into objects.

import { environmentOf, startRows } from "./accounts.ts";
import type { Bench, BenchContext, Comparison, Target } from "./bench.ts";
import { type Contender, runContest, seriesOf } from "./contest.ts";
import { bunPeer, goPeers, missingOf, presentOf } from "./runtimes.ts";

const OURS = "forebay";
const WORKER: string = new URL("./p7-worker.ts", import.meta.url).href;

interface Other {
  readonly name: string;
  readonly key: string;
  readonly target?: Target;
}

const OTHERS: readonly Other[] = [
  { name: "Bun.SQL", key: "bun", target: { op: "<=", limit: 1 } },
  { name: "pg", key: "pg", target: { op: "<=", limit: 0.6 } },
  { name: "postgres.js", key: "postgres.js" },
  { name: "pgxpool", key: "pgxpool" },
];

/** P7. */
export const rowsBench: Bench = {
  id: "P7",
  title: "100 000 rows of 8 columns into objects, one connection",
  run: async (context: BenchContext): Promise<Comparison[]> => {
    const isQuick = context.effort === "quick";
    const rounds = isQuick ? 2 : 9;
    context.onProgress("looking for the peers of other runtimes", 0);
    await using go = await goPeers(["pgxpool"], context.signal);
    const peers = [await bunPeer("Bun.SQL", WORKER, ["Bun.SQL"]), ...go.peers];
    context.onProgress("starting a server and filling the table", 0);
    const { server, access } = await startRows(isQuick ? 10_000 : 100_000, context.signal);
    try {
      const present = presentOf(peers);
      const contenders: Contender[] = [OURS, "pg", "postgres.js"].map((name) => ({ name }));
      const standings = await runContest({
        worker: WORKER,
        contenders: [...contenders, ...present],
        tasks: [{ job: "rows", amount: isQuick ? 2 : 8 }],
        rounds,
        env: environmentOf(access),
        signal: context.signal,
        onRound: (round, name) =>
          context.onProgress(`round ${round}: ${name}`, round / (rounds + 1)),
      });
      const missing = missingOf(peers);
      return [
        ...OTHERS.map((one) =>
          compare("a result", one, missing.get(one.name), (name) =>
            seriesOf(standings, name, "rows.ms"),
          ),
        ),
        ...OTHERS.filter(({ name }) => !missing.has(name)).map(({ name, key }) =>
          compare("client CPU", { name, key: `cpu.${key}` }, undefined, (contender) =>
            seriesOf(standings, contender, "rows.cpuMs"),
          ),
        ),
      ];
    } finally {
      await server.stop();
    }
  },
};

function compare(
  what: string,
  { name: other, key, target }: Other,
  leftOut: string | undefined,
  series: (contender: string) => readonly number[],
): Comparison {
  const aim = target === undefined ? {} : { target };
  const own = { what, key, unit: "ms", ours: OURS, oursSamples: series(OURS), other } as const;
  if (leftOut !== undefined) return { ...own, ...aim, leftOut };
  return { ...own, ...aim, otherSamples: series(other) };
}

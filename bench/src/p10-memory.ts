// P10: what is kept in memory for each waiter, connection and statement, and what is left after
// very many queries.

import { environmentOf, startAccounts } from "./accounts.ts";
import type { Bench, BenchContext, Comparison } from "./bench.ts";
import { type ContestOptions, runContest, seriesOf, type Standings } from "./contest.ts";

const WORKER: string = new URL("./p10-worker.ts", import.meta.url).href;
const OURS = "forebay";
const PEERS = ["pg-pool", "generic-pool", "tarn"];
const CLIENTS = ["pg", "postgres.js"];
/**
 * No more of the heap may be kept at the end than this, through what was kept at a fifth: less than
 * a byte for each query, or a hundred for each that was given up.
 */
const FLAT = { op: "<=", limit: 1.05 } as const;
const NONE = { op: "<=", limit: 0 } as const;
/** Each of the four connections may still know the last signal that it has seen. */
const ONE_EACH = { op: "<=", limit: 4 } as const;

/** How much of each is made. */
interface Amounts {
  readonly waiters: number;
  readonly resources: number;
  readonly connections: number;
  readonly statements: number;
  readonly queries: number;
}

const FULL: Amounts = {
  waiters: 50_000,
  resources: 10_000,
  connections: 80,
  statements: 1000,
  queries: 1_000_000,
};
const QUICK: Amounts = {
  waiters: 10_000,
  resources: 2000,
  connections: 40,
  statements: 200,
  queries: 50_000,
};

/** P10. */
export const memoryBench: Bench = {
  id: "P10",
  title: "memory: for each waiter, connection and statement, and after very many queries",
  run: async (context: BenchContext): Promise<Comparison[]> => {
    const isQuick = context.effort === "quick";
    const amounts = isQuick ? QUICK : FULL;
    context.onProgress("starting a server and filling the table", 0);
    const { server, access } = await startAccounts(isQuick ? 10_000 : 100_000, context.signal);
    const contest = (contenders: string[], tasks: ContestOptions["tasks"], startsAt: number) =>
      runContest({
        worker: WORKER,
        contenders,
        tasks,
        rounds: 1,
        generations: isQuick ? 1 : 3,
        env: environmentOf(access),
        signal: context.signal,
        onRound: (_, name) =>
          context.onProgress(`${tasks.map(({ job }) => job).join(", ")}: ${name}`, startsAt),
      });
    try {
      const pools = await contest([OURS, ...PEERS], poolTasks(amounts), 0.1);
      const clients = await contest([OURS, ...CLIENTS], clientTasks(amounts), 0.2);
      const own = await contest([OURS], ownTasks(amounts), 0.3);
      const left = await contest([OURS], [{ job: "retained", amount: amounts.queries }], 0.4);
      return [
        ...aside(pools, "waiter", "a waiter", [OURS, ...PEERS]),
        ...aside(own, "signalledWaiter", "a waiter with a signal of its own", [OURS]),
        ...aside(pools, "resource", "an idle resource of a pool", [OURS, ...PEERS]),
        ...aside(clients, "connection", "an idle connection", [OURS, ...CLIENTS]),
        ...buffers(clients),
        ...aside(own, "statement", "a prepared Stmt", [OURS]),
        ...aside(own, "text", "a text kept on a connection", [OURS]),
        ...leftOver(left, amounts.queries),
      ];
    } finally {
      await server.stop();
    }
  },
};

function poolTasks({ waiters, resources }: Amounts): ContestOptions["tasks"] {
  return [
    { job: "waiter", amount: waiters },
    { job: "resource", amount: resources },
  ];
}

function clientTasks({ connections }: Amounts): ContestOptions["tasks"] {
  return [{ job: "connection", amount: connections }];
}

function ownTasks({ waiters, statements }: Amounts): ContestOptions["tasks"] {
  return [
    { job: "signalledWaiter", amount: waiters },
    { job: "statement", amount: statements },
    { job: "text", amount: statements },
  ];
}

/** Ours, and beside it each of the others. */
function aside(
  standings: Standings,
  job: string,
  what: string,
  contenders: readonly string[],
): Comparison[] {
  const [ours = OURS, ...others] = contenders;
  const series = (name: string) => seriesOf(standings, name, `${job}.bytes`);
  const own = { what, unit: "bytes", ours, oursSamples: series(ours) } as const;
  return [
    { ...own, key: job },
    ...others.map((other) => ({
      ...own,
      key: `${job}.${other}`,
      other,
      otherSamples: series(other),
    })),
  ];
}

/** Each alone: some have none, and nothing can be divided by that. */
function buffers(standings: Standings): Comparison[] {
  return [OURS, ...CLIENTS].map((name) => ({
    what: "its buffers outside of the heap",
    key: `buffers.${name}`,
    unit: "bytes",
    ours: name,
    oursSamples: seriesOf(standings, name, "connection.bufferBytes"),
  }));
}

function leftOver(standings: Standings, queries: number): Comparison[] {
  const series = (figure: string) => seriesOf(standings, OURS, `retained.${figure}`);
  const counts = [
    { figure: "listeners", what: "listeners left on a signal that all share", target: NONE },
    { figure: "timers", what: "timers more at the end than at a fifth", target: NONE },
    { figure: "signals", what: "signals more at the end than at a fifth", target: ONE_EACH },
    { figure: "timersAfterClose", what: "timers left by a closed DB", target: NONE },
  ];
  const heap = {
    what: "heap after queries with signals",
    unit: "bytes",
    ours: `after ${queries}`,
    oursSamples: series("heapEnd"),
    other: `after ${queries / 5}`,
    otherSamples: series("heapFifth"),
  } as const;
  const middle = { ours: `after ${(queries / 5) * 3}`, oursSamples: series("heapMiddle") };
  return [
    { ...heap, key: "retained.heapMiddle", ...middle },
    { ...heap, key: "retained.heap", target: FLAT },
    ...counts.map(({ figure, what, target }) => ({
      what,
      key: `retained.${figure}`,
      unit: "count" as const,
      ours: OURS,
      oursSamples: series(figure),
      target,
    })),
  ];
}

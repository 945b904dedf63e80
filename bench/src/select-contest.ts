// The contest of point selects: the same for P1, P2 and P3 but for who takes part.

import { environmentOf, startAccounts } from "./accounts.ts";
import type { BenchContext, Comparison, Target } from "./bench.ts";
import type { ClientName } from "./clients.ts";
import { type Contender, runContest, seriesOf, type Standings } from "./contest.ts";
import { bunPeer, type GoName, goPeers, missingOf, type Peer, presentOf } from "./runtimes.ts";

/** One who takes part. */
export interface Entrant {
  /** In the table. */
  readonly name: string;
  /** In the names of the ratios. */
  readonly key: string;
  /** What a worker opens. The contenders in Go open what their name says. */
  readonly client: ClientName | GoName;
  readonly connections: number;
  readonly runtime?: "bun" | "go";
  /** For our throughput through this one's. */
  readonly target?: Target;
}

/** What a benchmark of point selects consists of. */
export interface SelectContest {
  readonly ours: Entrant;
  readonly others: readonly Entrant[];
  /** Of a full run. */
  readonly rounds: number;
}

const WORKER: string = new URL("./select-worker.ts", import.meta.url).href;
const QUICK_ROUNDS = 2;

/** Starts a server, runs the contest on it, and compares ours with each of the others. */
export async function runSelects(
  context: BenchContext,
  { ours, others, rounds: fullRounds }: SelectContest,
): Promise<Comparison[]> {
  const isQuick = context.effort === "quick";
  const rounds = isQuick ? QUICK_ROUNDS : fullRounds;
  const all = [ours, ...others];
  context.onProgress("looking for the peers of other runtimes", 0);
  await using go = await goPeers(namesInGo(all), context.signal);
  const peers = [...go.peers, ...(await peersOnBun(all))];
  context.onProgress("starting a server and filling the table", 0);
  const { server, access } = await startAccounts(isQuick ? 100_000 : 1_000_000, context.signal);
  try {
    const standings = await runContest({
      worker: WORKER,
      contenders: contendersOf(all, presentOf(peers)),
      tasks: [{ job: "select", amount: isQuick ? 500 : 2000 }],
      rounds,
      env: environmentOf(access),
      signal: context.signal,
      onRound: (round, name) => context.onProgress(`round ${round}: ${name}`, round / (rounds + 1)),
    });
    return compareAll(standings, ours, others, missingOf(peers));
  } finally {
    await server.stop();
  }
}

function namesInGo(all: readonly Entrant[]): GoName[] {
  return all.filter(({ runtime }) => runtime === "go").map(({ client }) => client as GoName);
}

async function peersOnBun(all: readonly Entrant[]): Promise<Peer[]> {
  const onBun = all.filter(({ runtime }) => runtime === "bun");
  return await Promise.all(onBun.map((one) => bunPeer(one.name, WORKER, argsOf(one))));
}

function argsOf({ client, connections }: Entrant): string[] {
  return [client, String(connections)];
}

/** In the order of the entrants. */
function contendersOf(all: readonly Entrant[], present: readonly Contender[]): Contender[] {
  return all.flatMap((entrant) => {
    const { name, runtime } = entrant;
    if (runtime === undefined) return [{ name, args: argsOf(entrant) }];
    return present.filter((one) => one.name === name);
  });
}

function compareAll(
  standings: Standings,
  ours: Entrant,
  others: readonly Entrant[],
  missing: ReadonlyMap<string, string>,
): Comparison[] {
  const own = {
    what: "throughput",
    unit: "queries/s",
    ours: ours.name,
    oursSamples: seriesOf(standings, ours.name, "select.rate"),
  } as const;
  const ownCpu = {
    what: "client CPU",
    unit: "us/query",
    ours: ours.name,
    oursSamples: seriesOf(standings, ours.name, "select.cpuUs"),
  } as const;
  const isThere = ({ name }: Entrant) => !missing.has(name);
  return [
    ...others.map(({ name: other, key, target }) => {
      const about = { ...own, key, other, ...(target === undefined ? {} : { target }) };
      const leftOut = missing.get(other);
      if (leftOut !== undefined) return { ...about, leftOut };
      return { ...about, otherSamples: seriesOf(standings, other, "select.rate") };
    }),
    ...others.filter(isThere).map(({ name: other, key }) => {
      const otherSamples = seriesOf(standings, other, "select.cpuUs");
      return { ...ownCpu, key: `cpu.${key}`, other, otherSamples };
    }),
  ];
}

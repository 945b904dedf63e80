// Scenario 21: a caller that holds a connection and asks for a second. With as many such callers as
// there are connections nobody is ever served.

import { needConnections } from "../budget.ts";
import { claimOf, part } from "../claim.ts";
import { byName, exact, sum, takeTurnsByName } from "../compare.ts";
import { histogramOf } from "../histogram.ts";
import { failureKind } from "../failures.ts";
import { barPlot, latencyPlot } from "../plot.ts";
import type { LabDb } from "../pools.ts";
import {
  type Arm,
  type Claim,
  type Findings,
  type Judge,
  type Plot,
  type Scenario,
  type ScenarioContext,
} from "../scenario.ts";
import { measuresOf, openTurn, responseOf, type Turn } from "../turn.ts";
import { type Question, verdictOf } from "../verdict.ts";
import { duration, figure, percent } from "../words.ts";

const CONNECTIONS = 4;
/** Callers that come at the same moment, and how far apart such moments are. */
const CROWD = 2 * CONNECTIONS;
const EVERY_MS = 500;
/** How long an acquire waits: of the guide's seconds a fraction, so that a round is short. */
const ACQUIRE_TIMEOUT_MS = 300;
const THINK_MS = 2;

/** How the inner query gets its connection, and what the pool does about it. */
interface Way {
  readonly name: string;
  readonly role: Arm["role"];
  readonly nestedAcquire: "allow" | "reject";
  /** Whether the inner query goes to the pool, rather than to the connection that is held. */
  readonly isNested: boolean;
}

const WAYS = {
  silent: { name: "nested", role: "baseline", nestedAcquire: "allow", isNested: true },
  told: {
    name: "nested, nestedAcquire reject",
    role: "change",
    nestedAcquire: "reject",
    isNested: true,
  },
  mended: {
    name: "the held connection",
    role: "variant",
    nestedAcquire: "reject",
    isNested: false,
  },
} as const satisfies Record<string, Way>;

type WayName = keyof typeof WAYS;
const NAMES: readonly WayName[] = ["silent", "told", "mended"];

/** A turn, and how long those waited who were told of the nesting. */
interface NestedTurn extends Turn {
  readonly toldAfterMs: readonly number[];
}

type Measured = Readonly<Record<WayName, readonly NestedTurn[]>>;

async function run(context: ScenarioContext): Promise<Findings> {
  needConnections(context, CONNECTIONS * NAMES.length);
  const { signal } = context;
  const rounds = context.isQuick ? 6 : 8;
  const crowds = context.isQuick ? 1 : 3;
  const dbs = byName(NAMES, (name) =>
    context.pools.openDb({
      maxOpenConns: CONNECTIONS,
      maxIdleConns: CONNECTIONS,
      acquireTimeoutMs: ACQUIRE_TIMEOUT_MS,
      nestedAcquire: WAYS[name].nestedAcquire,
    }),
  );
  await Promise.all(NAMES.map((name) => dbs[name].warmUp(CONNECTIONS, { signal })));
  const measured = await takeTurnsByName({
    rounds,
    signal,
    steal: context.steal,
    names: NAMES,
    take: (name, _round, note) => {
      context.step(WAYS[name].name, crowds * EVERY_MS, note);
      return turnOf(context, dbs[name], WAYS[name], crowds);
    },
  });
  return describe(context, measured, await context.judge());
}

/** Crowds of requests; each holds a connection and then makes one more query. */
async function turnOf(
  context: ScenarioContext,
  db: LabDb,
  way: Way,
  crowds: number,
): Promise<NestedTurn> {
  const { signal, clock } = context;
  const toldAfterMs: number[] = [];
  const arrivalsMs = Array.from(
    { length: crowds * CROWD },
    (_, index) => Math.floor(index / CROWD) * EVERY_MS,
  );
  const turn = await openTurn(context, {
    arrivalsMs,
    operate: async () => {
      const begunAtMs = clock.nowMs();
      try {
        await db.withConn(
          async (conn) => {
            await conn.query("SELECT pg_sleep($1 / 1000.0)", [THINK_MS], { signal });
            await (way.isNested ? db : conn).query("SELECT 1", [], { signal });
          },
          { signal },
        );
      } catch (error) {
        if (failureKind(error) === "POOL_NESTED_ACQUIRE") {
          toldAfterMs.push(clock.nowMs() - begunAtMs);
        }
        throw error;
      }
    },
  });
  return { ...turn, toldAfterMs };
}

/** What is counted over all turns of an arm. */
interface Count {
  readonly requests: number;
  readonly served: number;
  readonly timedOut: number;
  readonly told: number;
}

function countOf(turns: readonly NestedTurn[]): Count {
  const requests = sum(turns.map((turn) => turn.requests));
  const of = (kind: string): number => sum(turns.map((turn) => turn.failures[kind] ?? 0));
  return {
    requests,
    served: requests - sum(turns.map((turn) => turn.failed)),
    timedOut: of("POOL_TIMEOUT"),
    told: of("POOL_NESTED_ACQUIRE"),
  };
}

const ADVICE: Findings["whatToSet"] = {
  code:
    'const db = openPostgres(url, { nestedAcquire: "warn" }); // "reject" in tests\n\n' +
    "await db.withConn(async (conn) => {\n" +
    '  await conn.query("SELECT 1"); // conn, not db\n});',
  when:
    'In tests and staging always "reject"; in production "warn" tells where it happens, with ' +
    "the stack. Then pass the connection or the transaction on to whoever needs one.",
  notWhen:
    "It uses AsyncLocalStorage, which before Node 24 makes every promise a little slower: " +
    "leave it off on the hottest paths. Go, pg and HikariCP have no such setting; HikariCP's " +
    "guide asks for a pool of threads × (connections each - 1) + 1 instead.",
};

function describe(context: ScenarioContext, measured: Measured, judge: Judge): Findings {
  const silent = countOf(measured.silent);
  const told = countOf(measured.told);
  const mended = countOf(measured.mended);
  const toldMs = histogramOf(measured.told.flatMap((turn) => turn.toldAfterMs)).percentileMs(50);
  const silentP99Ms = responseOf(measured.silent).percentileMs(99);
  const mendedP99Ms = responseOf(measured.mended).percentileMs(99);
  const checks = questionsOf(measured, toldMs).map(judge);
  return {
    headline:
      `With ${CROWD} callers for ${CONNECTIONS} connections, of which each asked for a second, ` +
      `${percent(silent.timedOut / silent.requests)} of the requests timed out; with ` +
      `nestedAcquire "reject" ${figure(told.told)} were told why after ${duration(toldMs)} and ` +
      `${figure(told.timedOut)} timed out; with the connection that they held, ` +
      `${figure(mended.requests - mended.served)} of ${figure(mended.requests)} failed.`,
    experiment:
      `Every ${duration(EVERY_MS)} ${CROWD} requests come at once to a pool of ${CONNECTIONS}. ` +
      `Each holds a connection for ${duration(THINK_MS)} and then makes one more query: through ` +
      `the pool, or on the connection that it holds. An acquire waits ` +
      `${duration(ACQUIRE_TIMEOUT_MS)}, which in a service would be seconds. ` +
      `${measured.silent.length} rounds, forward and backward in turn.`,
    claim: claimOfNesting({ silent, told, mended }, silentP99Ms, toldMs),
    forebay: {
      verdict: verdictOf(checks),
      why:
        `By default a pool cannot know; ${figure(silent.timedOut)} of ${figure(silent.requests)} ` +
        `requests waited for what they held themselves. nestedAcquire "reject" follows the ` +
        `caller through its awaits and refused ${figure(told.told)}; ${figure(told.served)} of ` +
        `${figure(told.requests)} were served by what those gave back.`,
      checks,
    },
    predictions: [
      {
        what: "Requests that time out where all nest, at least",
        theory:
          `the first ${CONNECTIONS} of each crowd of ${CROWD} hold all connections, and none ` +
          "gives one back before its own deadline",
        predicted: (100 * CONNECTIONS) / CROWD,
        measured: (100 * silent.timedOut) / silent.requests,
        unit: "%",
      },
    ],
    arms: NAMES.map((name) => armOf(name, measured[name])),
    plots: plotsOf(measured, silentP99Ms, mendedP99Ms),
    whatToSet: ADVICE,
    caveats: [
      "A larger pool only moves the moment: it takes as many simultaneous callers as there are " +
        "connections.",
      "What is counted as nested is an acquire that would have to wait while its caller holds a " +
        "connection of the same pool; with a connection free it goes through.",
      ...(context.isQuick ? ["Quick run: one crowd a turn."] : []),
    ],
  };
}

function plotsOf(measured: Measured, silentP99Ms: number, mendedP99Ms: number): Plot[] {
  const silent = countOf(measured.silent);
  const told = countOf(measured.told);
  const mended = countOf(measured.mended);
  return [
    barPlot(
      "What became of the requests",
      `Served: ${figure(silent.served)}, ${figure(told.served)} and ${figure(mended.served)} ` +
        `of ${figure(silent.requests)} each.`,
      { label: "requests served", scale: "linear" },
      NAMES.map((name) => ({
        name: WAYS[name].name,
        value: countOf(measured[name]).served,
        role: WAYS[name].role,
      })),
    ),
    latencyPlot(
      "Until a request ended, well or not",
      `p99 ${duration(silentP99Ms)} where they wait for each other, ${duration(mendedP99Ms)} ` +
        "where each uses the connection that it holds.",
      NAMES.map((name) => ({
        name: WAYS[name].name,
        response: responseOf(measured[name]),
        ...(name === "silent" ? { style: "dashes" as const } : {}),
      })),
    ),
  ];
}

function claimOfNesting(
  counts: { readonly silent: Count; readonly told: Count; readonly mended: Count },
  silentP99Ms: number,
  toldMs: number,
): Claim {
  const { silent, told, mended } = counts;
  const parts = [
    part(
      "Callers that hold a connection and ask for a second can lock up a pool for good.",
      silent.timedOut >= silent.requests / 2,
      `${figure(silent.timedOut)} of ${figure(silent.requests)} timed out, p99 ` +
        `${duration(silentP99Ms)} with a limit of ${duration(ACQUIRE_TIMEOUT_MS)}; without the ` +
        "limit they would be waiting still.",
    ),
    part(
      "Using the connection that one holds cures it.",
      mended.served === mended.requests,
      `${figure(mended.served)} of ${figure(mended.requests)} were served by the same ` +
        `${CONNECTIONS} connections.`,
    ),
    part(
      "A pool can tell who nests, instead of a timeout that blames the load.",
      told.told > 0 && told.timedOut === 0,
      `${figure(told.told)} were told after ${duration(toldMs)} (p50), ${figure(told.timedOut)} ` +
        "timed out.",
    ),
  ];
  return claimOf(
    "A request that needs two connections at once can deadlock the pool: with as many such " +
      "requests as connections, all wait for what the others hold.",
    parts,
    {
      holds:
        `${percent(silent.timedOut / silent.requests)} of the requests timed out although each ` +
        `query takes ${duration(THINK_MS)} at most.`,
      refuted: `Only ${figure(silent.timedOut)} of ${figure(silent.requests)} timed out.`,
      inconclusive: "It could not be decided.",
    },
  );
}

function questionsOf(measured: Measured, toldMs: number): Question[] {
  const silent = countOf(measured.silent);
  const told = countOf(measured.told);
  const mended = countOf(measured.mended);
  return [
    {
      name: "Requests that time out where all nest and nobody tells (so that there is an effect)",
      estimate: exact((100 * silent.timedOut) / silent.requests),
      threshold: { atLeast: 50 },
      unit: "%",
    },
    {
      name: 'Requests that time out with nestedAcquire "reject"',
      estimate: exact(told.timedOut),
      threshold: { atMost: 0 },
    },
    {
      name: "Until a request is told of its nesting, p50, over the acquire timeout",
      estimate: exact(toldMs / ACQUIRE_TIMEOUT_MS),
      threshold: { atMost: 0.3 },
      unit: "×",
    },
    {
      name: "Requests that fail on the connection that they hold (negative control)",
      estimate: exact(mended.requests - mended.served),
      threshold: { atMost: 0 },
    },
  ];
}

function armOf(name: WayName, turns: readonly NestedTurn[]): Arm {
  const way = WAYS[name];
  return {
    name: way.name,
    role: way.role,
    settings: {
      maxOpenConns: CONNECTIONS,
      nestedAcquire: way.nestedAcquire,
      acquireTimeoutMs: ACQUIRE_TIMEOUT_MS,
    },
    measures: { ...measuresOf(turns), served: countOf(turns).served },
  };
}

/** Extra scenario: nested acquires. */
export const nestedAcquire: Scenario = {
  id: 21,
  title: "A second connection for who holds one",
  needs: "12 free connections",
  expectedMs: 36_000,
  expectedQuickMs: 9_000,
  run,
};

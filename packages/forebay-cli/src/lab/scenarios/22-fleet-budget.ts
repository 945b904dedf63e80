// Scenario 22: instances of a service share one max_connections. Divided by the number of
// instances alone it is exceeded during each rolling deploy, when there is one more.

import { needConnections } from "../budget.ts";
import { claimOf, part } from "../claim.ts";
import { pause } from "../clock.ts";
import { exact, sum, takeTurnsByName } from "../compare.ts";
import { type FailureCounts, failureMeasures } from "../failures.ts";
import { runOpenLoad } from "../load.ts";
import { barPlot } from "../plot.ts";
import type { LabDb } from "../pools.ts";
import {
  type Arm,
  type Claim,
  type Findings,
  type Judge,
  type Plot,
  type Scenario,
  type ScenarioContext,
  ScenarioNotPossible,
} from "../scenario.ts";
import { type Question, verdictOf } from "../verdict.ts";
import { duration, figure } from "../words.ts";

const INSTANCES = 4;
/** Instances that are there in addition during a deploy. */
const SURGE = 1;
const WORK_MS = 10;
/** Of what the connections can serve. */
const LOAD = 0.2;
/** From one step of the deploy to the next: a new instance, then the end of an old one. */
const STEP_MS = 150;

interface Way {
  readonly name: string;
  readonly role: Arm["role"];
  /** Connections of one instance, of so many that the server has for all. */
  sizeOf(connections: number): number;
}

const WAYS = {
  even: {
    name: "divided by the instances",
    role: "baseline",
    sizeOf: (connections) => Math.floor(connections / INSTANCES),
  },
  budget: {
    name: "divided by the instances and the surge",
    role: "change",
    sizeOf: (connections) => Math.floor(connections / (INSTANCES + SURGE)),
  },
} as const satisfies Record<string, Way>;

type WayName = keyof typeof WAYS;
const NAMES: readonly WayName[] = ["even", "budget"];

/** What one deploy did. */
interface DeployTurn {
  readonly requests: number;
  readonly failures: FailureCounts;
  /** Dials that failed: the server had no connection left. */
  readonly refused: number;
  readonly size: number;
}

type Measured = Readonly<Record<WayName, readonly DeployTurn[]>>;

async function run(context: ScenarioContext): Promise<Findings> {
  if (context.server.kind === "given") {
    throw new ScenarioNotPossible(
      "It fills the server with connections to its limit, and does so only on a server that was " +
        "started for the lab.",
    );
  }
  needConnections(context, 2 * INSTANCES);
  const rounds = context.isQuick ? 3 : 10;
  const measured = await takeTurnsByName({
    rounds,
    signal: context.signal,
    steal: context.steal,
    names: NAMES,
    take: (name, _round, note) => {
      context.step(WAYS[name].name, INSTANCES * 2 * STEP_MS + 300, note);
      return turnOf(context, WAYS[name].sizeOf(context.facts.budget));
    },
  });
  return describe(context, measured, await context.judge());
}

/** One rolling deploy: each instance is replaced in turn, the new one first. */
async function turnOf(context: ScenarioContext, size: number): Promise<DeployTurn> {
  const { signal, clock, loop } = context;
  const all: LabDb[] = [];
  /** A new instance, which opens its connections ahead of need. */
  const start = (): LabDb => {
    const db = context.pools.openDb({ maxOpenConns: size, maxIdleConns: size, minIdleConns: size });
    all.push(db);
    return db;
  };
  let serving = Array.from({ length: INSTANCES }, start);
  loop.begin();
  // The deploy and the load run side by side.
  const deploy = async (): Promise<void> => {
    for (let at = 0; at < INSTANCES; at++) {
      await pause(clock, STEP_MS, signal);
      const [old] = serving;
      serving = [...serving.slice(1), start()];
      if (old !== undefined) await retire(context, old);
    }
  };
  const perS = (LOAD * INSTANCES * size * 1000) / WORK_MS;
  const totalMs = INSTANCES * 2 * STEP_MS;
  const load = runOpenLoad({
    clock,
    signal,
    arrivalsMs: Array.from({ length: (perS * totalMs) / 1000 }, (_, at) => (at * 1000) / perS),
    wake: "timer",
    operate: async (index) => {
      const db = serving[index % serving.length];
      await db?.query("SELECT pg_sleep($1 / 1000.0)", [WORK_MS], { signal });
    },
  });
  const [{ responseMs, failures }] = await Promise.all([load, deploy()]);
  loop.end("effect");
  const refused = sum(all.map((db) => db.stats().pool.dialErrorCount));
  await Promise.all(all.map((db) => db.close()));
  return { requests: responseMs.length, failures, refused, size };
}

/** An old instance is there for a while yet, with its connections: that is the surge. */
async function retire({ clock, signal }: ScenarioContext, db: LabDb): Promise<void> {
  await pause(clock, STEP_MS, signal);
  const isBusy = (): boolean => db.stats().inUse + db.stats().pool.waiting > 0;
  while (isBusy()) await pause(clock, 10, signal);
  await db.close();
}

function totalOf(turns: readonly DeployTurn[], of: (turn: DeployTurn) => number): number {
  return sum(turns.map(of));
}

function describe(context: ScenarioContext, measured: Measured, judge: Judge): Findings {
  const { even, budget } = measured;
  const refusedEven = totalOf(even, (turn) => turn.refused);
  const refusedBudget = totalOf(budget, (turn) => turn.refused);
  const sizes = { even: even[0]?.size ?? 0, budget: budget[0]?.size ?? 0 };
  const connections = context.facts.budget;
  const checks = questionsOf(measured).map(judge);
  return {
    headline:
      `With ${figure(connections)} connections for ${INSTANCES} instances, ${figure(sizes.even)} ` +
      `each had the server refuse ${figure(refusedEven)} connections during ` +
      `${figure(even.length)} rolling deploys; ${figure(sizes.budget)} each, with room for the ` +
      `surge, ${figure(refusedBudget)}.`,
    experiment:
      `${INSTANCES} pools, each an instance that keeps its connections open, under a load of ` +
      `${figure(100 * LOAD)} %. One by one a new instance comes, and an old one goes ` +
      `${duration(STEP_MS)} later, so that there is one more for a while. The server has ` +
      `${figure(connections)} connections for them. ${even.length} deploys for each size, in ` +
      `turn. A deploy of minutes is scaled to ${duration(INSTANCES * 2 * STEP_MS)}.`,
    claim: claimOfFleet({ refusedEven, refusedBudget, sizes }),
    forebay: {
      verdict: verdictOf(checks),
      why:
        `maxOpenConns counts connections from the dial until the socket is closed: with ` +
        `${figure(sizes.budget)} for each of ${INSTANCES + SURGE} instances at most ` +
        `${figure(sizes.budget * (INSTANCES + SURGE))} are there, and ${figure(refusedBudget)} ` +
        "were refused.",
      checks,
    },
    predictions: [
      {
        what: "The most connections during a deploy, divided by the instances alone",
        theory: `(instances + surge) × size, where the server has ${figure(connections)}`,
        predicted: (INSTANCES + SURGE) * sizes.even,
        measured: connections,
        unit: "",
      },
    ],
    arms: NAMES.map((name) => armOf(name, measured[name])),
    plots: plotsOf(refusedEven, refusedBudget, sizes),
    whatToSet: {
      code:
        "// (max_connections - reserved) / (instances × (1 + surge)), rounded down\n" +
        `openPostgres(url, { maxOpenConns: ${figure(sizes.budget)} });\n` +
        "// forebay size --qps … --max-connections 200 --instances 10 --surge 0.25",
      when:
        "Wherever several instances share a server: count migrations, cron jobs, consoles and " +
        "monitoring, too. The same for SetMaxOpenConns in Go, max in pg, maximumPoolSize in " +
        "HikariCP.",
      notWhen:
        "Where the fleet scales by itself far beyond what the server has, no division is right: " +
        "put a pooler in between.",
    },
    caveats: [
      "All instances run in this process, so that they share its event loop.",
      "A refused connection is dialed again after a pause, and Forebay's callers wait for one " +
        "that is free: that is why requests need not fail. With database/sql, pg or dialErrors: " +
        '"reject" each refused dial is an error for somebody.',
    ],
  };
}

function plotsOf(
  refusedEven: number,
  refusedBudget: number,
  sizes: { readonly even: number; readonly budget: number },
): Plot[] {
  return [
    barPlot(
      "Connections refused by the server",
      `${figure(refusedEven)} with ${figure(sizes.even)} connections each, ` +
        `${figure(refusedBudget)} with ${figure(sizes.budget)}.`,
      { label: "dials refused", scale: "linear" },
      [
        { name: WAYS.even.name, value: refusedEven, role: WAYS.even.role },
        { name: WAYS.budget.name, value: refusedBudget, role: WAYS.budget.role },
      ],
    ),
  ];
}

function claimOfFleet(found: {
  readonly refusedEven: number;
  readonly refusedBudget: number;
  readonly sizes: { readonly even: number; readonly budget: number };
}): Claim {
  const { refusedEven, refusedBudget, sizes } = found;
  const parts = [
    part(
      "max_connections divided by the instances is exceeded by a rolling deploy.",
      refusedEven > 0,
      `${figure(refusedEven)} connections were refused with ${figure(sizes.even)} each.`,
    ),
    part(
      "Divided by the instances and the surge, it is not.",
      refusedBudget === 0,
      `${figure(refusedBudget)} were refused with ${figure(sizes.budget)} each.`,
    ),
  ];
  return claimOf(
    "A pool's limit must leave room for the instances that a deploy adds, or each deploy ends in " +
      "“too many clients already”.",
    parts,
    {
      holds: `${figure(refusedEven)} refused against ${figure(refusedBudget)}.`,
      refuted: `${figure(refusedEven)} refused against ${figure(refusedBudget)}.`,
      inconclusive: "It could not be decided.",
    },
  );
}

function questionsOf({ even, budget }: Measured): Question[] {
  const failed = (turns: readonly DeployTurn[]): number =>
    totalOf(turns, (turn) => sum(Object.values(turn.failures)));
  return [
    {
      name: "Connections refused, with room for the surge",
      estimate: exact(totalOf(budget, (turn) => turn.refused)),
      threshold: { atMost: 0 },
    },
    {
      name: "Requests that failed in any way, with room for the surge",
      estimate: exact(failed(budget)),
      threshold: { atMost: 0 },
    },
    {
      name: "Connections refused, divided by the instances alone (so that there is an effect)",
      estimate: exact(totalOf(even, (turn) => turn.refused)),
      threshold: { atLeast: 1 },
    },
  ];
}

function armOf(name: WayName, turns: readonly DeployTurn[]): Arm {
  const way = WAYS[name];
  return {
    name: way.name,
    role: way.role,
    settings: { maxOpenConns: turns[0]?.size ?? 0, instances: INSTANCES, surge: SURGE },
    measures: {
      requests: totalOf(turns, (turn) => turn.requests),
      refused: totalOf(turns, (turn) => turn.refused),
      ...failureMeasures(turns),
    },
  };
}

/** Extra scenario: a fleet that shares max_connections. */
export const fleetBudget: Scenario = {
  id: 22,
  title: "A fleet, its budget and a rolling deploy",
  needs: "a server of its own: it fills it",
  expectedMs: 40_000,
  expectedQuickMs: 12_000,
  run,
};

// Scenario 24: the event loop stands still for a while. Timers that were set before then all fire
// at once, and a pool that believes them turns everybody away and closes what is idle.

import { needConnections } from "../budget.ts";
import { claimOf, part } from "../claim.ts";
import { pause, timeoutSignal } from "../clock.ts";
import { exact, sum, takeTurnsByName } from "../compare.ts";
import { countFailure, failureKind, failureMeasures } from "../failures.ts";
import { barPlot } from "../plot.ts";
import type { LabDb } from "../pools.ts";
import type { Arm, Claim, Findings, Judge, Plot, Scenario, ScenarioContext } from "../scenario.ts";
import { type Question, verdictOf } from "../verdict.ts";
import { duration, figure } from "../words.ts";

const CONNECTIONS = 4;
/** Of these, as many as there are connections are served at once, and the others wait. */
const CALLERS = 12;
const WORK_MS = 100;
const PATIENCE_MS = 1000;
/** A pool takes a timer that is late by more than a second for a stall. */
const STALL_MS = 2500;
const IDLE_MS = 1200;

interface Way {
  readonly name: string;
  readonly role: Arm["role"];
  readonly stallMs: number;
  /** Whether each caller has a timer of his own, instead of the pool's acquire timeout. */
  readonly ownTimers: boolean;
}

const WAYS = {
  timers: {
    name: "AbortSignal.timeout",
    role: "baseline",
    stallMs: STALL_MS,
    ownTimers: true,
  },
  pool: { name: "acquireTimeoutMs", role: "change", stallMs: STALL_MS, ownTimers: false },
  calm: {
    name: "AbortSignal.timeout, no stall",
    role: "negative control",
    stallMs: 0,
    ownTimers: true,
  },
} as const satisfies Record<string, Way>;

type WayName = keyof typeof WAYS;
const NAMES: readonly WayName[] = ["timers", "pool", "calm"];

/** What became of the callers of one stall, and of the connections. */
interface StallTurn {
  readonly served: number;
  readonly failures: Readonly<Record<string, number>>;
  /** Idle connections that were closed for having been idle for too long. */
  readonly idleClosed: number;
  readonly warned: boolean;
}

type Measured = Readonly<Record<WayName, readonly StallTurn[]>>;

async function run(context: ScenarioContext): Promise<Findings> {
  needConnections(context, CONNECTIONS * NAMES.length);
  const rounds = context.isQuick ? 1 : 5;
  const measured = await takeTurnsByName({
    rounds,
    signal: context.signal,
    steal: context.steal,
    names: NAMES,
    take: (name, _round, note) => {
      const way = WAYS[name];
      const expectedMs = 2 * way.stallMs + (CALLERS / CONNECTIONS) * WORK_MS + 400;
      context.step(way.name, expectedMs, note);
      return turnOf(context, way);
    },
  });
  return describe(measured, await context.judge());
}

async function turnOf(context: ScenarioContext, way: Way): Promise<StallTurn> {
  const { pools, signal, clock, loop } = context;
  let warned = false;
  const db = pools.openDb({
    maxOpenConns: CONNECTIONS,
    maxIdleConns: CONNECTIONS,
    connMaxIdleTimeMs: IDLE_MS,
    acquireTimeoutMs: way.ownTimers ? Infinity : PATIENCE_MS,
    onWarning: ({ kind }) => {
      warned ||= kind === "stall";
    },
  });
  await db.warmUp(CONNECTIONS, { signal });
  loop.begin();
  const failures: Record<string, number> = {};
  let served = 0;
  const callers = Array.from({ length: CALLERS }, async () => {
    try {
      await call(db, way, signal);
      served += 1;
    } catch (error) {
      countFailure(failures, failureKind(error));
    }
  });
  // So that the first have their connections, and the others wait.
  await pause(clock, 20, signal);
  standStill(context, way.stallMs);
  await Promise.all(callers);
  signal.throwIfAborted();
  // A pool that took the stall for idleness closes in its next look at the clock.
  standStill(context, way.stallMs);
  await pause(clock, 100, signal);
  loop.end("effect");
  const { maxIdleTimeClosed } = db.stats();
  await db.close();
  return { served, failures, idleClosed: maxIdleTimeClosed, warned };
}

/** Node may collect a timeout that only AbortSignal.any knows, before it fires: node#57736. */
const held = new Set<AbortSignal>();

async function call(db: LabDb, way: Way, signal: AbortSignal): Promise<void> {
  const run = (until: AbortSignal): Promise<unknown> =>
    db.query("SELECT pg_sleep($1 / 1000.0)", [WORK_MS], { signal: until });
  if (!way.ownTimers) {
    await run(signal);
    return;
  }
  const patience = timeoutSignal(PATIENCE_MS);
  held.add(patience);
  try {
    await run(AbortSignal.any([signal, patience]));
  } finally {
    held.delete(patience);
  }
}

/** Keeps the event loop from doing anything: what a long computation or collection does. */
function standStill({ clock }: ScenarioContext, ms: number): void {
  const untilMs = clock.nowMs() + ms;
  while (clock.nowMs() < untilMs);
}

/** The turns of an arm together. */
interface Count {
  readonly callers: number;
  readonly served: number;
  readonly idleClosed: number;
}

function countOf(turns: readonly StallTurn[]): Count {
  return {
    callers: turns.length * CALLERS,
    served: sum(turns.map((turn) => turn.served)),
    idleClosed: sum(turns.map((turn) => turn.idleClosed)),
  };
}

const ADVICE: Findings["whatToSet"] = {
  code:
    "openPostgres(url, {\n" +
    "  acquireTimeoutMs: 5_000, // rather than AbortSignal.timeout around each call\n" +
    "  onWarning: (warning) => log.warn(warning), // tells of stalls\n});",
  when:
    "Wherever the process also computes: rendering, JSON of megabytes, compression. Find the " +
    "stall itself as well: it delays everything, the pool's callers included.",
  notWhen:
    "Where an answer after so long is of no use to anybody, a timer of your own is right to " +
    "fire. Go has no counterpart: its timers run beside the work. pg's connectionTimeoutMillis " +
    "and postgres.js's timers fire after a stall like any other timer.",
};

function describe(measured: Measured, judge: Judge): Findings {
  const timers = countOf(measured.timers);
  const pool = countOf(measured.pool);
  const calm = countOf(measured.calm);
  const told = measured.pool.filter((turn) => turn.warned).length;
  const checks = questionsOf(measured).map(judge);
  return {
    headline:
      `When the event loop stood still for ${duration(STALL_MS)}, ` +
      `${figure(timers.callers - timers.served)} of ${figure(timers.callers)} callers with ` +
      `timers of their own failed, and ${figure(pool.callers - pool.served)} of ` +
      `${figure(pool.callers)} with the pool's acquire timeout; Forebay closed ` +
      `${figure(pool.idleClosed)} connections as idle for too long.`,
    experiment:
      `${CALLERS} callers at once want ${duration(WORK_MS)} each on ${CONNECTIONS} connections, ` +
      `and wait at most ${duration(PATIENCE_MS)}; a moment later the event loop is busy for ` +
      `${duration(STALL_MS)}, and once more while all connections are idle, of which none may be ` +
      `idle for longer than ${duration(IDLE_MS)}. ${measured.pool.length} rounds, in turn. ` +
      "Control: the same without a stall.",
    claim: claimOfStall({ timers, pool, calm }),
    forebay: {
      verdict: verdictOf(checks),
      why:
        `Time in which the event loop stands still counts as not passed: ${figure(pool.served)} ` +
        `of ${figure(pool.callers)} were served, ${figure(pool.idleClosed)} connections expired, ` +
        `and in ${figure(told)} of ${figure(measured.pool.length)} rounds onWarning was told of ` +
        "a stall.",
      checks,
    },
    predictions: [
      {
        what: "Callers that fail by timers of their own",
        theory:
          "those who wait: their timers are due when the loop goes on, before anything that came " +
          "back meanwhile is handed to them",
        predicted: (timers.callers * (CALLERS - CONNECTIONS)) / CALLERS,
        measured: timers.callers - timers.served,
        unit: "",
      },
      {
        what: "Callers that fail by the pool's acquire timeout",
        theory: "they have waited for the stall, and for no connection",
        predicted: 0,
        measured: pool.callers - pool.served,
        unit: "",
      },
    ],
    arms: NAMES.map((name) => armOf(name, measured[name])),
    plots: plotsOf(measured),
    whatToSet: ADVICE,
    caveats: [
      "The stall is a busy loop in this process, at a moment of the lab's choosing.",
      "Forebay takes it for a stall when a timer of the pool is late by more than a second: one " +
        `of ${duration(STALL_MS)} after an acquire timeout of ${duration(PATIENCE_MS)} is, one ` +
        "that ends sooner after the deadline is not, and callers whose time is up are then told " +
        "so.",
      "What runs on the server meanwhile goes on; only the news of it waits in the socket.",
    ],
  };
}

function plotsOf(measured: Measured): Plot[] {
  const timers = countOf(measured.timers);
  const pool = countOf(measured.pool);
  const calm = countOf(measured.calm);
  return [
    barPlot(
      "Callers served",
      `${figure(timers.served)} of ${figure(timers.callers)} with timers of their own, ` +
        `${figure(pool.served)} of ${figure(pool.callers)} with the pool's; without a stall ` +
        `${figure(calm.served)} of ${figure(calm.callers)}.`,
      { label: "% of the callers", scale: "linear" },
      NAMES.map((name) => {
        const { served, callers } = countOf(measured[name]);
        return { name: WAYS[name].name, value: (100 * served) / callers, role: WAYS[name].role };
      }),
    ),
  ];
}

function claimOfStall({ timers, pool, calm }: Readonly<Record<WayName, Count>>): Claim {
  const failed = timers.callers - timers.served;
  const parts = [
    part(
      "After a stall, timers turn callers away that were about to be served.",
      failed > 0,
      `${figure(failed)} of ${figure(timers.callers)} failed; without a stall ` +
        `${figure(calm.callers - calm.served)} of ${figure(calm.callers)}.`,
    ),
    part(
      "A pool can tell a stall from a wait.",
      pool.served === pool.callers,
      `${figure(pool.served)} of ${figure(pool.callers)} were served.`,
    ),
    part(
      "And from idleness.",
      pool.idleClosed === 0,
      `${figure(pool.idleClosed)} connections were closed as idle for too long.`,
    ),
  ];
  return claimOf(
    "When Node's event loop stands still, every timeout that was running fires at once: callers " +
      "are turned away and connections closed for no fault of the database.",
    parts,
    {
      holds:
        `${figure(failed)} of ${figure(timers.callers)} callers failed by their timers, ` +
        "none by the pool's.",
      refuted:
        `${figure(failed)} of ${figure(timers.callers)} callers failed by their ` +
        `timers, ${figure(pool.callers - pool.served)} by the pool's.`,
      inconclusive: "It could not be decided.",
    },
  );
}

function questionsOf(measured: Measured): Question[] {
  const pool = countOf(measured.pool);
  const timers = countOf(measured.timers);
  const calm = countOf(measured.calm);
  return [
    {
      name: "Callers that fail by the pool's acquire timeout after a stall",
      estimate: exact(pool.callers - pool.served),
      threshold: { atMost: 0 },
    },
    {
      name: "Connections closed as idle for too long after a stall",
      estimate: exact(pool.idleClosed),
      threshold: { atMost: 0 },
    },
    {
      name: "Callers that fail by timers of their own (so that there is an effect)",
      estimate: exact((100 * (timers.callers - timers.served)) / timers.callers),
      threshold: { atLeast: 50 },
      unit: "%",
    },
    {
      name: "Callers that fail without a stall (negative control)",
      estimate: exact(calm.callers - calm.served),
      threshold: { atMost: 0 },
    },
  ];
}

function armOf(name: WayName, turns: readonly StallTurn[]): Arm {
  const way = WAYS[name];
  const { callers, served, idleClosed } = countOf(turns);
  return {
    name: way.name,
    role: way.role,
    settings: { maxOpenConns: CONNECTIONS, patienceMs: PATIENCE_MS, stallMs: way.stallMs },
    measures: {
      requests: callers,
      served,
      maxIdleTimeClosed: idleClosed,
      ...failureMeasures(turns),
    },
  };
}

/** Extra scenario: a stall of the event loop. */
export const eventLoopStall: Scenario = {
  id: 24,
  title: "An event loop that stands still",
  needs: "12 free connections",
  expectedMs: 70_000,
  expectedQuickMs: 12_000,
  run,
};

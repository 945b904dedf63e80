// Scenario 26: a service that is told to stop while requests are running. Closing the pool lets
// them end, turns the others away at once, and comes to an end itself.

import { needConnections } from "../budget.ts";
import { claimOf, part } from "../claim.ts";
import { exact, sum, takeTurnsByName } from "../compare.ts";
import { histogramOf } from "../histogram.ts";
import { failureKind } from "../failures.ts";
import { runOpenLoad } from "../load.ts";
import { barPlot } from "../plot.ts";
import { poissonArrivals, seededLabRandom } from "../random.ts";
import type { Arm, Claim, Findings, Judge, Plot, Scenario, ScenarioContext } from "../scenario.ts";
import { type Question, verdictOf } from "../verdict.ts";
import { duration, figure } from "../words.ts";

const CONNECTIONS = 6;
const WORK_MS = 30;
/** Some more than the connections can serve, so that some wait when the pool closes. */
const RATE_PER_S = 240;
const CLOSE_AT_MS = 500;
const END_MS = 650;
/** The statement that does not end by itself, and what `close` gives it. */
const HUNG_S = 30;
const DRAIN_MS = 1000;

interface Way {
  readonly name: string;
  readonly role: Arm["role"];
  readonly drainTimeoutMs: number;
  readonly hasHung: boolean;
}

const WAYS = {
  forced: { name: "without waiting", role: "baseline", drainTimeoutMs: 0, hasHung: false },
  graceful: { name: "close", role: "change", drainTimeoutMs: 10_000, hasHung: false },
  hung: {
    name: "close, one statement hangs",
    role: "variant",
    drainTimeoutMs: DRAIN_MS,
    hasHung: true,
  },
} as const satisfies Record<string, Way>;

type WayName = keyof typeof WAYS;
const NAMES: readonly WayName[] = ["forced", "graceful", "hung"];

/** What became of the requests of one shutdown. */
interface ShutdownTurn {
  readonly requests: number;
  readonly served: number;
  /** Turned away before they had a connection: another instance can take them. */
  readonly turnedAway: number;
  /** Cut off while they were running: nobody knows what became of them. */
  readonly dropped: number;
  readonly closeMs: number;
  /** Backends left on the server afterwards. */
  readonly backends: number;
}

type Measured = Readonly<Record<WayName, readonly ShutdownTurn[]>>;

async function run(context: ScenarioContext): Promise<Findings> {
  needConnections(context, CONNECTIONS + 1);
  const rounds = context.isQuick ? 3 : 10;
  const measured = await takeTurnsByName({
    rounds,
    signal: context.signal,
    steal: context.steal,
    names: NAMES,
    take: (name, round, note) => {
      context.step(WAYS[name].name, END_MS + 300 + (WAYS[name].hasHung ? DRAIN_MS : 0), note);
      return turnOf(context, WAYS[name], round);
    },
  });
  return describe(measured, await context.judge());
}

async function turnOf(context: ScenarioContext, way: Way, round: number): Promise<ShutdownTurn> {
  const { pools, signal, clock, loop } = context;
  const applicationName = pools.nextName();
  const db = pools.openDb(
    { maxOpenConns: CONNECTIONS, maxIdleConns: CONNECTIONS, acquireTimeoutMs: 5000 },
    applicationName,
  );
  await db.warmUp(CONNECTIONS, { signal });
  const hung = way.hasHung
    ? db.query("SELECT pg_sleep($1)", [HUNG_S], { signal }).catch(() => undefined)
    : undefined;
  let closeMs = 0;
  const closing = new Promise<void>((resolve, reject) => {
    clock.setTimer(CLOSE_AT_MS, () => {
      const atMs = clock.nowMs();
      db.close({ drainTimeoutMs: way.drainTimeoutMs }).then(() => {
        closeMs = clock.nowMs() - atMs;
        resolve();
      }, reject);
    });
  });
  loop.begin();
  let turnedAway = 0;
  let dropped = 0;
  const load = await runOpenLoad({
    clock,
    signal,
    arrivalsMs: poissonArrivals(seededLabRandom(2600 + round), RATE_PER_S, END_MS),
    wake: "timer",
    operate: async () => {
      try {
        await db.query("SELECT pg_sleep($1 / 1000.0)", [WORK_MS], { signal });
      } catch (error) {
        if (failureKind(error) === "POOL_CLOSED") turnedAway += 1;
        else dropped += 1;
        throw error;
      }
    },
  });
  await closing;
  await hung;
  loop.end("effect");
  const requests = load.responseMs.length;
  const backends = await backendsOf(context, applicationName);
  return {
    requests,
    served: requests - turnedAway - dropped,
    turnedAway,
    dropped,
    closeMs,
    backends,
  };
}

/** The server needs a moment to notice that a connection has been closed. */
async function backendsOf({ pools, signal }: ScenarioContext, name: string): Promise<number> {
  for (let tries = 1; ; tries++) {
    const { n } = await pools.watcher.queryRow<{ n: number }>(
      "SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name = $1",
      [name],
      { signal },
    );
    if (n === 0 || tries === 40) return n;
    await pools.watcher.exec("SELECT pg_sleep(0.05)", [], { signal });
  }
}

function totalOf(turns: readonly ShutdownTurn[], of: (turn: ShutdownTurn) => number): number {
  return sum(turns.map(of));
}

const ADVICE: Findings["whatToSet"] = {
  code:
    'process.once("SIGTERM", async () => {\n' +
    "  server.close(); // first: no new requests\n" +
    "  await db.close({ drainTimeoutMs: 8_000 }); // less than the platform's grace period\n});",
  when:
    "In every service that is deployed while it works. drainTimeoutMs must be less than what the " +
    "platform waits before it kills (Kubernetes: terminationGracePeriodSeconds, 30 s).",
  notWhen:
    "In a script that has awaited all its work, close returns at once. Go's DB.Close does not " +
    "wait for queries that run; pg's pool.end waits for clients without a limit; HikariCP's " +
    "close aborts active connections after about 10 s.",
};

function describe(measured: Measured, judge: Judge): Findings {
  const { forced, graceful, hung } = measured;
  const dropped = (turns: readonly ShutdownTurn[]): number => totalOf(turns, (one) => one.dropped);
  const closeMs = histogramOf(graceful.map((turn) => turn.closeMs)).maxMs;
  const hungMs = histogramOf(hung.map((turn) => turn.closeMs)).maxMs;
  const checks = questionsOf(measured).map(judge);
  return {
    headline:
      `Of ${figure(totalOf(graceful, (one) => one.requests))} requests around ` +
      `${figure(graceful.length)} shutdowns, close cut ${figure(dropped(graceful))} off, and ` +
      `ended within ${duration(closeMs)}; ending without waiting cut off ` +
      `${figure(dropped(forced))} of ${figure(totalOf(forced, (one) => one.requests))}. With a ` +
      `statement that hangs, close ended within ${duration(hungMs)}.`,
    experiment:
      `${RATE_PER_S} requests a second of ${duration(WORK_MS)} on ${CONNECTIONS} connections; ` +
      `after ${duration(CLOSE_AT_MS)} the pool is closed, and requests go on coming. Once ` +
      "without waiting for what is running, once with the default drainTimeoutMs of 10 s, once " +
      `with a statement that hangs and a drainTimeoutMs of ${duration(DRAIN_MS)}. ` +
      `${graceful.length} rounds, in turn.`,
    claim: claimOfShutdown(measured, closeMs, hungMs),
    forebay: {
      verdict: verdictOf(checks),
      why:
        `close turned ${figure(totalOf(graceful, (one) => one.turnedAway))} requests away with ` +
        "POOL_CLOSED, which another instance can serve, and let " +
        `${figure(totalOf(graceful, (one) => one.served))} end; ` +
        `${figure(totalOf([...forced, ...graceful, ...hung], (one) => one.backends))} backends ` +
        "were left on the server after all shutdowns.",
      checks,
    },
    predictions: [
      {
        what: "Requests that are cut off by each shutdown without waiting",
        theory: "as many as there are connections, all being busy",
        predicted: CONNECTIONS,
        measured: dropped(forced) / forced.length,
        unit: "",
      },
      {
        what: "The longest close",
        theory: "the work of the request that began last",
        predicted: WORK_MS,
        measured: closeMs,
        unit: "ms",
      },
    ],
    arms: NAMES.map((name) => armOf(name, measured[name])),
    plots: plotsOf(measured),
    whatToSet: ADVICE,
    caveats: [
      "All requests run in this process: what a load balancer does meanwhile is not shown.",
      "The request that hangs is counted neither as served nor as cut off.",
    ],
  };
}

function plotsOf(measured: Measured): Plot[] {
  const { forced, graceful, hung } = measured;
  const dropped = (turns: readonly ShutdownTurn[]): number => totalOf(turns, (one) => one.dropped);
  return [
    barPlot(
      "Requests cut off while they were running",
      `${figure(dropped(forced))} without waiting, ${figure(dropped(graceful))} with close, ` +
        `${figure(dropped(hung))} where a statement hangs.`,
      { label: "requests", scale: "linear" },
      NAMES.map((name) => ({
        name: WAYS[name].name,
        value: dropped(measured[name]),
        role: WAYS[name].role,
      })),
    ),
  ];
}

function claimOfShutdown(measured: Measured, closeMs: number, hungMs: number): Claim {
  const { forced, graceful, hung } = measured;
  const dropped = totalOf(graceful, (one) => one.dropped);
  const lost = totalOf(forced, (one) => one.dropped);
  const parts = [
    part(
      "Ending without waiting cuts off what is running.",
      lost > 0,
      `${figure(lost)} requests in ${figure(forced.length)} shutdowns.`,
    ),
    part(
      "A pool that drains drops nothing.",
      dropped === 0,
      `${figure(dropped)} of ${figure(totalOf(graceful, (one) => one.requests))} were cut off.`,
    ),
    part(
      "It ends in bounded time, whatever hangs.",
      hungMs <= 2 * DRAIN_MS,
      `At most ${duration(closeMs)}, and ${duration(hungMs)} where a statement hung for ` +
        `${HUNG_S} s and drainTimeoutMs was ${duration(DRAIN_MS)}.`,
    ),
    part(
      "Nothing stays on the server.",
      totalOf([...forced, ...graceful, ...hung], (one) => one.backends) === 0,
      `${figure(totalOf([...forced, ...graceful, ...hung], (one) => one.backends))} backends ` +
        "were left.",
    ),
  ];
  return claimOf("A graceful shutdown drops no request, and comes to an end.", parts, {
    holds: `None was cut off, and close took ${duration(closeMs)} at most.`,
    refuted: `${figure(dropped)} were cut off; close took ${duration(closeMs)} at most.`,
    inconclusive: "It could not be decided.",
  });
}

function questionsOf({ forced, graceful, hung }: Measured): Question[] {
  return [
    {
      name: "Requests cut off by close",
      estimate: exact(totalOf(graceful, (one) => one.dropped)),
      threshold: { atMost: 0 },
    },
    {
      name: "Requests cut off by ending without waiting (so that there is an effect)",
      estimate: exact(totalOf(forced, (one) => one.dropped)),
      threshold: { atLeast: forced.length },
    },
    {
      name: "The longest close where a statement hangs, over drainTimeoutMs",
      estimate: exact(Math.max(...hung.map((turn) => turn.closeMs)) / DRAIN_MS),
      threshold: { atMost: 2 },
      unit: "×",
    },
    {
      name: "Backends left on the server",
      estimate: exact(totalOf([...forced, ...graceful, ...hung], (one) => one.backends)),
      threshold: { atMost: 0 },
    },
  ];
}

function armOf(name: WayName, turns: readonly ShutdownTurn[]): Arm {
  const way = WAYS[name];
  return {
    name: way.name,
    role: way.role,
    settings: {
      maxOpenConns: CONNECTIONS,
      drainTimeoutMs: way.drainTimeoutMs,
      requestsPerS: RATE_PER_S,
    },
    measures: {
      requests: totalOf(turns, (one) => one.requests),
      served: totalOf(turns, (one) => one.served),
      turnedAway: totalOf(turns, (one) => one.turnedAway),
      cutOff: totalOf(turns, (one) => one.dropped),
      longestCloseMs: Math.max(...turns.map((turn) => turn.closeMs)),
      backendsLeft: totalOf(turns, (one) => one.backends),
    },
  };
}

/** Extra scenario: shutting down under load. */
export const gracefulShutdown: Scenario = {
  id: 26,
  title: "Shutting down under load",
  needs: "7 free connections",
  expectedMs: 40_000,
  expectedQuickMs: 12_000,
  run,
};

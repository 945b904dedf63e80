// Scenario 20: connections that were opened together reach their lifetime together, and are dialed
// again together, unless each has a lifetime of its own.

import { needConnections } from "../budget.ts";
import { claimOf, estimatedPart, part } from "../claim.ts";
import { pause } from "../clock.ts";
import { type Estimate, exact, median, medianRatio, sum } from "../compare.ts";
import type {
  Arm,
  Claim,
  Findings,
  Judge,
  LinePlot,
  Scenario,
  ScenarioContext,
} from "../scenario.ts";
import { type Question, verdictOf } from "../verdict.ts";
import { duration, figure, withInterval } from "../words.ts";

const CONNECTIONS = 12;
const LIFETIME_MS = 1500;
/**
 * What a dial counts with: of 30 minutes it would be two. A dial takes some 10 ms of this process,
 * so that those of a herd come over a good part of it.
 */
const WINDOW_MS = LIFETIME_MS / 15;
const LOOK_MS = 5;

interface Way {
  readonly name: string;
  readonly role: Arm["role"];
  readonly jitterRatio: number;
}

const WAYS = {
  none: { name: "no jitter, as in database/sql", role: "baseline", jitterRatio: 0 },
  some: { name: "a tenth, the default", role: "variant", jitterRatio: 0.1 },
  half: { name: "a half", role: "change", jitterRatio: 0.5 },
} as const satisfies Record<string, Way>;

type WayName = keyof typeof WAYS;
const NAMES: readonly WayName[] = ["none", "some", "half"];

/** When connections of an arm were dialed, from the first on, without those of the start. */
interface Dials {
  readonly atMs: readonly number[];
  /** The most within any window, of each lifetime but the first, in which none is due. */
  readonly peaks: readonly number[];
  /** The median of these. */
  readonly peak: number;
}

type Measured = Readonly<Record<WayName, Dials>>;

async function run(context: ScenarioContext): Promise<Findings> {
  needConnections(context, CONNECTIONS * NAMES.length);
  const lifetimes = context.isQuick ? 8 : 16;
  context.step("all arms at once", lifetimes * LIFETIME_MS);
  context.loop.begin();
  // They dial little, and at different times: so they can run side by side.
  const [none, some, half] = await Promise.all([
    watch(context, WAYS.none, lifetimes),
    watch(context, WAYS.some, lifetimes),
    watch(context, WAYS.half, lifetimes),
  ]);
  context.loop.end("effect");
  return describe(context, { none, some, half }, lifetimes, await context.judge());
}

/** Keeps a pool full for so many lifetimes, and notes when it dials. */
async function watch(context: ScenarioContext, way: Way, lifetimes: number): Promise<Dials> {
  const { pools, clock, signal } = context;
  const db = pools.openDb({
    maxOpenConns: CONNECTIONS,
    maxIdleConns: CONNECTIONS,
    minIdleConns: CONNECTIONS,
    // So that the pool's own limit does not spread the herd.
    maxDialing: CONNECTIONS,
    connMaxLifetimeMs: LIFETIME_MS,
    lifetimeJitterRatio: way.jitterRatio,
  });
  await db.warmUp(CONNECTIONS, { signal });
  const startedAtMs = clock.nowMs();
  const atMs: number[] = [];
  let seen = db.stats().pool.dialCount;
  for (let nowMs = 0; nowMs < lifetimes * LIFETIME_MS; nowMs = clock.nowMs() - startedAtMs) {
    const { dialCount } = db.stats().pool;
    for (; seen < dialCount; seen++) atMs.push(nowMs);
    await pause(clock, LOOK_MS, signal);
  }
  await db.close();
  const peaks = Array.from({ length: lifetimes - 1 }, (_, index) => {
    const fromMs = (index + 1) * LIFETIME_MS;
    return peakOf(atMs.filter((at) => at >= fromMs && at < fromMs + LIFETIME_MS));
  });
  return { atMs, peaks, peak: median(peaks) };
}

/** The most of these moments that lie within one window. */
function peakOf(atMs: readonly number[]): number {
  return Math.max(
    0,
    ...atMs.map((from) => atMs.filter((at) => at >= from && at < from + WINDOW_MS).length),
  );
}

const ADVICE: Findings["whatToSet"] = {
  code:
    "openPostgres(url, {\n  connMaxLifetimeMs: 30 * 60_000,\n" +
    "  lifetimeJitterRatio: 0.1, // the default; more, the shorter the lifetime\n});",
  when:
    "Wherever there is a lifetime, and the more, the more instances start together: they share " +
    "the server that has to take the dials. database/sql has no jitter, pgxpool " +
    "MaxConnLifetimeJitter, HikariCP up to a fortieth of maxLifetime, pg none.",
  notWhen:
    "Where a credential or a certificate runs out at a known moment, the lifetime itself must be " +
    "shorter than that; jitter only makes it shorter still.",
};

function describe(
  { random }: ScenarioContext,
  measured: Measured,
  lifetimes: number,
  judge: Judge,
): Findings {
  const { none, some, half } = measured;
  const ratio = medianRatio(none.peaks, half.peaks, random);
  const checks = questionsOf(measured, ratio, lifetimes).map(judge);
  const expected = CONNECTIONS * (lifetimes - 1);
  return {
    headline:
      `Of ${CONNECTIONS} connections opened together, ${figure(none.peak)} were dialed again ` +
      `within ${duration(WINDOW_MS)} without jitter, ${figure(some.peak)} with a tenth, and ` +
      `${figure(half.peak)} with a half (medians of the most in each lifetime).`,
    experiment:
      `Three pools of ${CONNECTIONS} connections that are kept open (minIdleConns), for ` +
      `${figure(lifetimes)} lifetimes of ${duration(LIFETIME_MS)}, side by side. Half an hour is ` +
      `scaled to ${duration(LIFETIME_MS)}, so that ${duration(WINDOW_MS)} stand for two minutes. ` +
      "maxDialing is raised, so that it does not spread the dials itself.",
    claim: claimOfHerd(measured, ratio),
    forebay: {
      verdict: verdictOf(checks),
      why:
        `Each connection gets a lifetime of its own when it is opened: of ${CONNECTIONS} ` +
        `${withInterval(ratio)} times as many were dialed within ${duration(WINDOW_MS)} as ` +
        `without, of ${figure(half.atMs.length)} dials in all.`,
      checks,
    },
    predictions: [
      {
        what: "Dials without jitter",
        theory: "each connection once in a lifetime, and a dial in between",
        predicted: expected,
        measured: none.atMs.length,
        unit: "",
      },
      {
        what: "The most within a window, without jitter",
        theory: "all at once",
        predicted: CONNECTIONS,
        measured: none.peak,
        unit: "",
      },
    ],
    arms: NAMES.map((name) => armOf(name, measured[name])),
    plots: [plotOf(measured)],
    whatToSet: ADVICE,
    caveats: [
      "One process: a fleet that was deployed at once does the same, times its instances.",
      "With maxDialing at its default of 4 a pool spreads its own herd over some dials' time; a " +
        "fleet's it cannot.",
    ],
  };
}

/** Up to this ratio to those without jitter, dials count as spread. */
const SPREAD_RATIO = 0.6;

function claimOfHerd({ none, some, half }: Measured, ratio: Estimate): Claim {
  const parts = [
    part(
      "Connections opened together expire together.",
      none.peak >= CONNECTIONS / 2,
      `Without jitter ${figure(none.peak)} of ${CONNECTIONS} within ${duration(WINDOW_MS)}.`,
    ),
    estimatedPart(
      "A lifetime of its own for each spreads them.",
      ratio,
      { to: SPREAD_RATIO },
      `With a half ${figure(half.peak)}, ${withInterval(ratio)} times as many, lifetime by ` +
        `lifetime; with a tenth ${figure(some.peak)}. (Up to ${SPREAD_RATIO} counts as holding.)`,
    ),
  ];
  return claimOf(
    "Without jitter the lifetimes of a cohort of connections end at the same time, and the dials " +
      "come as a herd (PostHog's incidents of 2026, by sqlx's max_lifetime).",
    parts,
    {
      holds:
        `The most dials within ${duration(WINDOW_MS)} went from ${figure(none.peak)} to ` +
        `${figure(half.peak)}.`,
      refuted:
        `The most dials within ${duration(WINDOW_MS)} went from ${figure(none.peak)} ` +
        `to ${figure(half.peak)}.`,
      inconclusive: "It could not be decided.",
    },
  );
}

function questionsOf({ none, half }: Measured, ratio: Estimate, lifetimes: number): Question[] {
  return [
    {
      // Of each lifetime: the most in any window of a run grows with its length, jitter or not.
      name: "The most dials within a window, jitter of a half over none",
      estimate: ratio,
      threshold: { atMost: SPREAD_RATIO },
      unit: "×",
      isRobust: true,
    },
    {
      name: "The most dials within a window without jitter (so that there is an effect)",
      estimate: exact(none.peak),
      threshold: { atLeast: CONNECTIONS / 2 },
    },
    {
      name: "Lifetimes used up, jitter of a half (each is shorter by a quarter on average)",
      estimate: exact(half.atMs.length / CONNECTIONS / lifetimes),
      threshold: { from: 0.7, to: 1.6 },
    },
  ];
}

function armOf(name: WayName, { atMs, peak }: Dials): Arm {
  const way = WAYS[name];
  return {
    name: way.name,
    role: way.role,
    settings: {
      maxOpenConns: CONNECTIONS,
      connMaxLifetimeMs: LIFETIME_MS,
      lifetimeJitterRatio: way.jitterRatio,
    },
    measures: { dials: atMs.length, mostDialsInWindow: peak },
  };
}

/** Dials so far, over time. */
function plotOf(measured: Measured): LinePlot {
  const { none, half } = measured;
  return {
    kind: "lines",
    title: "Dials over time",
    note:
      `Without jitter they come in steps of ${figure(none.peak)} within ` +
      `${duration(WINDOW_MS)}; with a half ${figure(half.peak)} come together. ` +
      `${figure(sum(NAMES.map((name) => measured[name].atMs.length)))} in all.`,
    x: { label: "ms", scale: "linear" },
    y: { label: "dials so far", scale: "linear" },
    series: NAMES.map((name) => ({
      name: WAYS[name].name,
      style: name === "none" ? "dashes" : "steps",
      points: measured[name].atMs.map((at, index) => [at, index + 1] as const),
    })),
  };
}

/** Extra scenario: lifetimes that end together. */
export const lifetimeHerd: Scenario = {
  id: 20,
  title: "Lifetimes that end together",
  needs: "36 free connections",
  expectedMs: 25_000,
  expectedQuickMs: 13_000,
  run,
};

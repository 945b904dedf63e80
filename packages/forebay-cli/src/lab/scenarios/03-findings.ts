// Scenario 3, what the measurements say: verdicts, predictions, plots and advice. Every sentence
// takes its figures from this run.

import { exact, sum } from "../compare.ts";
import { failureMeasures } from "../failures.ts";
import { barPlot } from "../plot.ts";
import type { Arm, Findings, Judge, Plot, ScenarioContext, WhatToSet } from "../scenario.ts";
import { type Question, verdictOf } from "../verdict.ts";
import { counted, duration, figure, percent } from "../words.ts";
import type { BalancerRun, SteadyRun } from "./03-arms.ts";
import { claimOfBalancer } from "./03-claim.ts";
import { type BalancerPlan, HERD_WINDOW_MS, HOLD_MS, JITTER_RATIO, peakWithin } from "./03-plan.ts";
import type { BalancerMeasured } from "./03-tcp-load-balancer.ts";

/** Figures derived from the measurements. */
export interface BalancerFigures {
  /** How many connections an arm's lulls put to the test. */
  readonly tested: number;
  readonly go: BalancerRun;
  readonly bare: BalancerRun;
  /** The arms of Forebay with a timer, behind HAProxy. */
  readonly timed: readonly BalancerRun[];
  readonly keepalive: BalancerRun;
  /** The two arms with a limited life, behind HAProxy. */
  readonly aged: readonly BalancerRun[];
  readonly silentBare: BalancerRun;
  readonly silentTimed: readonly BalancerRun[];
  readonly busy: SteadyRun;
  readonly herd: SteadyRun;
  readonly spread: SteadyRun;
  /** The most connections opened within `HERD_WINDOW_MS`. */
  readonly herdPeak: number;
  readonly spreadPeak: number;
}

/** Puts the findings together. */
export function describeBalancer(
  context: ScenarioContext,
  measured: BalancerMeasured,
  judge: Judge,
): Findings {
  const figures = deriveFigures(measured);
  const checks = questionsOf(measured, figures).map(judge);
  const { plan } = measured;
  const { go, bare, keepalive, tested } = figures;
  return {
    headline:
      `After lulls longer than HAProxy's timeout, ${percent(go.stale / tested)} of the ` +
      "connections that a pool by database/sql's rules handed out first were dead, with " +
      `Forebay ${percent(bare.stale / tested)}; of ${counted(figures.busy.requests, "request")} ` +
      `in traffic without lulls HAProxy cut ${figure(figures.busy.lost + figures.busy.failed)}.`,
    experiment: experimentText(measured),
    claim: claimOfBalancer(plan, figures),
    forebay: {
      verdict: verdictOf(checks),
      why:
        `Without any timer, Forebay saw ${figure(bare.lost)} of ${figure(tested)} connections ` +
        "end while they were idle, and its callers saw " +
        `${counted(bare.requests - bare.served, "error")}. Where connections vanish without a ` +
        `word, ${percent(1 - figures.silentBare.served / figures.silentBare.requests)} of the ` +
        "requests failed without a timer, and " +
        `${percent(failedRatio(figures.silentTimed))} with one.`,
      checks,
    },
    predictions: [
      {
        what: "Connections handed out dead by database/sql's rules",
        theory: "each connection rests longer than HAProxy's timeout in each lull",
        predicted: tested,
        measured: go.stale,
        unit: "connections",
      },
      {
        what: "Connections opened after lulls with keepalive",
        theory: "none rests as long as HAProxy's timeout",
        predicted: 0,
        measured: keepalive.dials,
        unit: "connections",
      },
    ],
    arms: [...[...measured.cut, ...measured.silent].map(armOf), ...measured.steady.map(steadyArm)],
    plots: plotsOf(measured, figures),
    whatToSet: whatToSetOf(figures),
    caveats: caveatsOf(context, measured, figures),
  };
}

function whatToSetOf(figures: BalancerFigures): WhatToSet {
  const { keepalive } = figures;
  const idle = figures.timed[0] ?? keepalive;
  return {
    code: [
      "openDB(connector, {",
      "  connMaxIdleTimeMs: 20 * 60_000, // below the balancer's inactivity timeout of 30 min",
      "  keepaliveMs: 10 * 60_000, // or this: nothing is dialed after a lull",
      "  connMaxLifetimeMs: 60 * 60_000, // for redistribution, DNS and secrets, not for this",
      "  lifetimeJitterRatio: 0.1, // Forebay's default: they do not all end together",
      "})",
      "// Go: SetConnMaxIdleTime, SetConnMaxLifetime. pg: idleTimeoutMillis, maxLifetimeSeconds.",
      "// HikariCP: idleTimeout, maxLifetime, keepaliveTime.",
    ].join("\n"),
    when:
      "Behind anything that drops what is quiet: the idle time or the keepalive below its " +
      "timeout. The first request after a lull took " +
      `${duration(idle.first.percentileMs(50))} in the median with the idle time, which dials ` +
      `then, and ${duration(keepalive.first.percentileMs(50))} with keepalive.`,
    notWhen:
      "A lifetime costs something also where nothing is quiet: in traffic without lulls it " +
      `closed ${counted(figures.herd.lifetimeClosed, "connection")}, where HAProxy cut ` +
      `${figure(figures.busy.lost)} that had none. And ` +
      "keepalive holds connections open on the server that nobody needs.",
  };
}

function deriveFigures({ plan, cut, silent, steady }: BalancerMeasured): BalancerFigures {
  const [go, bare, idle, life, jitter, keepalive] = cut;
  const [silentBare, ...silentTimed] = silent;
  const [busy, herd, spread] = steady;
  if (
    go === undefined ||
    bare === undefined ||
    idle === undefined ||
    life === undefined ||
    jitter === undefined ||
    keepalive === undefined ||
    silentBare === undefined ||
    busy === undefined ||
    herd === undefined ||
    spread === undefined
  ) {
    throw new Error("an arm is missing");
  }
  return {
    tested: plan.connections * plan.lulls,
    go,
    bare,
    timed: [idle, life, jitter, keepalive],
    keepalive,
    aged: [life, jitter],
    silentBare,
    silentTimed,
    busy,
    herd,
    spread,
    herdPeak: peakWithin(herd.dialedAtMs, HERD_WINDOW_MS),
    spreadPeak: peakWithin(spread.dialedAtMs, HERD_WINDOW_MS),
  };
}

function failuresOf(runs: readonly BalancerRun[]): number {
  return sum(runs.map((run) => run.requests - run.served));
}

function failedRatio(runs: readonly BalancerRun[]): number {
  return failuresOf(runs) / sum(runs.map((run) => run.requests));
}

/** A deadline says nothing on a machine that is as slow with connections that are all sound. */
function slownessIn(plan: BalancerPlan, sound: readonly BalancerRun[]): string | undefined {
  const soundMs = Math.max(...sound.map((run) => run.response.maxMs));
  if (soundMs <= plan.deadlineMs / 2) return undefined;
  return `requests that met no dead connection took up to ${duration(soundMs)} on this machine.`;
}

/** Where dials take long, the connections of one generation are not of one age to begin with. */
function noHerdIn(plan: BalancerPlan, { herdPeak, spreadPeak }: BalancerFigures) {
  if (spreadPeak <= 0.5 * herdPeak || herdPeak >= 0.9 * plan.steadyConnections) return undefined;
  return (
    `this machine opens connections too slowly for a herd: ${herdPeak} of ` +
    `${plan.steadyConnections} came together without jitter.`
  );
}

function questionsOf({ plan }: BalancerMeasured, figures: BalancerFigures): Question[] {
  const { go, bare, timed, keepalive, aged, tested } = figures;
  const forebay = [bare, ...timed];
  return [
    {
      name: "Share of idle connections that database/sql's rules hand out dead after a lull",
      estimate: exact(go.stale / tested),
      threshold: { atLeast: 0.8 },
      note: "Shows that the experiment does what it should.",
    },
    {
      name: "Errors that callers of Forebay saw behind HAProxy, in all arms",
      estimate: exact(failuresOf(forebay)),
      threshold: { atMost: 0 },
    },
    {
      name: "Handed out dead by Forebay in its worst arm, over database/sql's rules",
      estimate: exact(Math.max(...forebay.map((run) => run.stale)) / go.stale),
      threshold: { atMost: 0.01 },
      unit: "×",
    },
    {
      name: "Connections closed by age, over those that were due in the lulls",
      estimate: exact(sum(aged.map((run) => run.lifetimeClosed)) / (2 * tested)),
      threshold: { from: 0.9, to: 1.1 },
    },
    {
      name: "Connections opened after lulls with keepalive, over those that there were",
      estimate: exact(keepalive.dials / tested),
      threshold: { atMost: 0.2 },
    },
    {
      name: `Most connections opened within ${HERD_WINDOW_MS} ms, with jitter over without`,
      estimate: exact(figures.spreadPeak / figures.herdPeak),
      threshold: { atMost: 0.5 },
      unit: "×",
      voidedBy: noHerdIn(plan, figures),
    },
    {
      name: "Connections cut, and requests failed, in traffic without lulls",
      estimate: exact(sum([figures.busy, figures.herd, figures.spread].map(troubleOf))),
      threshold: { atMost: 0 },
    },
    ...silentQuestions(plan, figures),
  ];
}

function silentQuestions(plan: BalancerPlan, figures: BalancerFigures): Question[] {
  const { bare, timed, silentBare, silentTimed } = figures;
  // It excuses a failure; what passes on a slow machine passes all the more.
  const slowness = failuresOf(silentTimed) > 0 ? slownessIn(plan, [bare, ...timed]) : undefined;
  return [
    {
      name: "Share of requests that fail where connections vanish silently and no timer is set",
      estimate: exact(failedRatio([silentBare])),
      threshold: { atLeast: 0.5 },
      note: "The negative control: nobody can notice what sends nothing.",
    },
    {
      name: "Errors there with idle time, lifetime, keepalive or ping",
      estimate: exact(failuresOf(silentTimed)),
      threshold: { atMost: 0 },
      voidedBy: slowness,
    },
    {
      name: "The worst p99 of these",
      estimate: exact(Math.max(...silentTimed.map((run) => run.response.percentileMs(99)))),
      threshold: { atMost: plan.deadlineMs },
      unit: "ms",
      voidedBy: slowness,
    },
  ];
}

function troubleOf(run: SteadyRun): number {
  return run.lost + run.failed;
}

function experimentText({ plan, haproxyVersion, steady }: BalancerMeasured): string {
  const [, herd] = steady;
  return (
    `HAProxy ${haproxyVersion} stands before the server; its timeouts of inactivity, the guide's ` +
    `30 minutes, are ${duration(plan.inactivityMs)} (time runs ${figure(plan.scaling)} times ` +
    `faster). Each arm has ${figure(plan.connections)} connections and bursts of as many ` +
    `requests, which hold theirs for ${HOLD_MS} ms; then a lull, and this ${plan.lulls} times, ` +
    `one burst every ${duration(plan.periodMs)}. Timers: idle time ${duration(plan.idleTimeMs)}, ` +
    `lifetime ${duration(plan.lifetimeMs)}, jitter ${percent(JITTER_RATIO)}, keepalive ` +
    `${duration(plan.keepaliveMs)}, ping after ${duration(plan.pingAfterIdleMs)} of idling. Then ` +
    "the same with a proxy that forgets quiet connections without a word, where a request has " +
    `${duration(plan.deadlineMs)}. Then traffic through HAProxy for ${duration(plan.steadyMs)} ` +
    `that never lets a connection rest, with lifetimes of ${duration(plan.steadyLifetimeMs)} for ` +
    `${counted(Number(herd?.settings["maxOpenConns"] ?? 0), "connection")}. Arms with lulls have ` +
    "their traffic one after the other."
  );
}

function armOf(run: BalancerRun): Arm {
  return {
    name: run.arm.name,
    role: run.arm.role,
    settings: run.arm.settings,
    measures: {
      requests: run.requests,
      handedOutDead: run.stale,
      dials: run.dials,
      lostWhileIdle: run.lost,
      lifetimeClosed: run.lifetimeClosed,
      idleTimeClosed: run.idleTimeClosed,
      pings: run.pings,
      pingsFailed: run.pingsFailed,
      ...run.response.measures(),
      firstAfterLullP50Ms: run.first.percentileMs(50),
      ...failureMeasures([run]),
    },
  };
}

function steadyArm(run: SteadyRun): Arm {
  return {
    name: run.name,
    role: run.role,
    settings: run.settings,
    measures: {
      requests: run.requests,
      failed: run.failed,
      lost: run.lost,
      lifetimeClosed: run.lifetimeClosed,
      dials: run.dialedAtMs.length,
      dialsInOneWindowMax: peakWithin(run.dialedAtMs, HERD_WINDOW_MS),
    },
  };
}

function plotsOf({ cut }: BalancerMeasured, figures: BalancerFigures): Plot[] {
  const { go, keepalive, herd, spread } = figures;
  const steps = (run: SteadyRun): [number, number][] =>
    [0, ...run.dialedAtMs].map((atMs, index) => [atMs, index]);
  return [
    barPlot(
      "Connections handed out dead after lulls",
      `${figure(go.stale)} by database/sql's rules, ${figure(figures.bare.stale)} with Forebay ` +
        "and no timer.",
      { label: "connections", scale: "linear" },
      cut.map(({ arm, stale }) => ({ name: arm.name, role: arm.role, value: stale })),
    ),
    barPlot(
      "The first requests after a lull, median",
      `${duration(go.first.percentileMs(50))} by database/sql's rules, ` +
        `${duration(keepalive.first.percentileMs(50))} with keepalive, which opened ` +
        `${counted(keepalive.dials, "connection")} to the baseline's ${figure(go.dials)}.`,
      { label: "ms", scale: "linear" },
      cut.map(({ arm, first }) => ({
        name: arm.name,
        role: arm.role,
        value: first.percentileMs(50),
      })),
      duration,
    ),
    {
      kind: "lines",
      title: "Connections replaced because of their age, in traffic without lulls",
      note:
        `Without jitter up to ${figure(figures.herdPeak)} were opened within ` +
        `${HERD_WINDOW_MS} ms, with jitter up to ${figure(figures.spreadPeak)}.`,
      x: { label: "ms", scale: "linear" },
      y: { label: "connections opened", scale: "linear" },
      series: [
        { name: "without jitter", style: "steps", points: steps(herd) },
        { name: `jitter of ${percent(JITTER_RATIO)}`, style: "steps", points: steps(spread) },
      ],
    },
  ];
}

function caveatsOf(
  { calibration }: ScenarioContext,
  { plan }: BalancerMeasured,
  { go, spreadPeak, herdPeak }: BalancerFigures,
): string[] {
  return [
    "The baseline is a model of database/sql's pool over Forebay's driver: it hands out what was " +
      "lost while idle, and tries again as database/sql does. With a driver that cannot tell " +
      `whether the statement had arrived, each of the ${figure(go.stale)} would have been an ` +
      "error to its caller. Drivers that look at the socket, or ping, before each use avoid that " +
      "in Go as well.",
    "Node reads idle sockets all the time, so that a pool that listens learns of an ordinary end " +
      "for nothing. What ends without a word it cannot know.",
    `The lifetime of ${duration(plan.lifetimeMs)} is shorter here than the timeout of ` +
      `${duration(plan.inactivityMs)}; a longer one was not tried, as it would leave an idle ` +
      "connection to the timeout. A lifetime is looked at when a connection is idle or comes " +
      "back: a statement that runs longer than what is left meets a balancer's absolute limit " +
      "all the same.",
    `Jitter is drawn at random, here with a seed: ${figure(spreadPeak)} instead of ` +
      `${figure(herdPeak)} connections at once is one draw. A connection took ` +
      `${duration(calibration.connectP50Ms)} to open here.`,
  ];
}

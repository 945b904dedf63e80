// Scenario 11, what the measurements say: verdicts, predictions, plots and advice. Every sentence
// takes its figures from this run.

import { exact } from "../compare.ts";
import { failureMeasures } from "../failures.ts";
import { barPlot, latencyPlot } from "../plot.ts";
import type {
  Arm,
  ArmRole,
  Findings,
  Judge,
  Plot,
  Prediction,
  ScenarioContext,
  WhatToSet,
} from "../scenario.ts";
import { type Question, verdictOf } from "../verdict.ts";
import { counted, duration, figure, listed, percent } from "../words.ts";
import { claimOfFailover } from "./11-claim.ts";
import type { FailoverMeasured } from "./11-failover.ts";
import { type FaultRun, FAULTS } from "./11-faults.ts";
import { deriveFigures, type FailoverFigures, LOUD } from "./11-figures.ts";
import { MAX_DIALING } from "./11-plan.ts";

/** Puts the findings together. */
export function describeFailover(
  context: ScenarioContext,
  measured: FailoverMeasured,
  judge: Judge,
): Findings {
  const figures = deriveFigures(measured);
  const checks = questionsOf(context, measured, figures).map(judge);
  const { plan, audit } = measured;
  const { naive, detection } = figures.loud;
  const ping = figures.of("silence", "ping");
  const sequential = figures.of("silence", "sequential");
  const surfaced = surfacedRatio(measured);
  return {
    headline:
      "In restarts and switches, a pool by database/sql's rules handed out " +
      `${counted(naive.stale, "dead connection")}, Forebay ${figure(detection.stale)}, and its ` +
      `callers saw ${counted(naive.errors, "error")} while there was no server, Forebay's ` +
      `${figure(detection.errors)}; when ${figure(plan.connections)} connections went silent, ` +
      `the longest request took ${duration(sequential.response.maxMs)} with one ping after the ` +
      `other, ${duration(ping.response.maxMs)} with Forebay's.`,
    experiment: experimentText(measured),
    claim: claimOfFailover(plan, figures),
    forebay: {
      verdict: verdictOf(checks),
      why:
        `Of ${counted(audit.writes, "write")}, ${figure(audit.duplicates)} were done twice, ` +
        `${figure(audit.missing)} acknowledged ones were missing, and ` +
        `${figure(audit.unacknowledged)} had been done without an answer: of these ` +
        `${Number.isNaN(surfaced) ? "none" : percent(surfaced)} had been told as uncertain. At ` +
        `an old primary that was back, read-only, ${figure(figures.readOnly.resetsServed)} of ` +
        `${figure(figures.readOnly.resetsWrites)} writes after the switch were done with ` +
        `reset(), ${figure(figures.readOnly.keepsServed)} of ` +
        `${figure(figures.readOnly.keepsWrites)} without.`,
      checks,
    },
    predictions: predictionsOf(measured, figures),
    arms: [...armsOf(measured), ...readOnlyArms(measured)],
    plots: plotsOf(measured, figures),
    whatToSet: whatToSetOf(measured, figures),
    caveats: caveatsOf(measured, figures),
  };
}

function predictionsOf({ plan }: FailoverMeasured, figures: FailoverFigures): Prediction[] {
  const ping = figures.of("silence", "ping");
  const sequential = figures.of("silence", "sequential");
  return [
    {
      what: "Dead connections handed out by database/sql's rules",
      theory: "all that were idle, in each restart and switch",
      predicted: figures.idle * LOUD.length,
      measured: figures.loud.naive.stale,
      unit: "connections",
    },
    {
      what: "The first request after silence, one ping after the other",
      theory: "a ping's timeout for each connection",
      predicted: plan.connections * plan.pingTimeoutMs,
      measured: sequential.response.maxMs,
      unit: "ms",
    },
    {
      what: "The same with suspicion of all others",
      theory: "one ping's timeout, and a dial",
      predicted: plan.pingTimeoutMs,
      measured: ping.response.maxMs,
      unit: "ms",
    },
  ];
}

function whatToSetOf({ plan, audit }: FailoverMeasured, figures: FailoverFigures): WhatToSet {
  const ping = figures.of("silence", "ping");
  return {
    code: [
      "const db = openDB(connector, {",
      "  pingAfterIdleMs: 30_000, // Forebay's default; less where lines go silent sooner",
      "  pingTimeoutMs: 250, // 2 s by default; some round trips are enough",
      "})",
      "// After a failover by address, the old primary may be back, and refuse writes:",
      'if (classify(error) === "read-only") db.reset()',
      "// Go: ResetSession of the driver; pgxpool: HealthCheckPeriod, MaxConnIdleTime. pg: none.",
      "// HikariCP: keepaliveTime, validationTimeout.",
    ].join("\n"),
    when:
      "Everywhere. Ends that are told need no ping: without one, callers saw " +
      `${counted(figures.loud.detection.errors, "error")} in restarts and switches. The ping is ` +
      "for silence, and its timeout is what the first caller waits: " +
      `${duration(ping.response.maxMs)} here with ${duration(plan.pingTimeoutMs)}.`,
    notWhen:
      "A ping before each use adds a round trip to every request; one after idling does not " +
      "touch a busy pool. And no validation makes a write safe to repeat: " +
      `${figure(audit.unacknowledged)} of ${counted(audit.writes, "write")} were done although ` +
      "nobody was told so.",
  };
}

/** Of the writes that were done without an answer, those told as uncertain; NaN of none. */
function surfacedRatio({ audit }: FailoverMeasured): number {
  return (audit.unacknowledged - audit.denied) / audit.unacknowledged;
}

function questionsOf(
  { calibration }: ScenarioContext,
  measured: FailoverMeasured,
  figures: FailoverFigures,
): Question[] {
  const { plan, audit } = measured;
  const { detection, ping } = figures.loud;
  const worst = (kind: "ping" | "sequential"): number =>
    figures.of("silence", kind).response.maxMs / plan.pingTimeoutMs;
  const leastStale = Math.min(...LOUD.map((fault) => figures.of(fault, "naive").stale));
  return [
    {
      name: "Dead connections that database/sql's rules hand out, over those idle, at least",
      estimate: exact(leastStale / figures.idle),
      threshold: { atLeast: 1 },
      note: "Shows that the experiment does what it should.",
    },
    {
      name: "Errors that callers of Forebay saw in restarts and switches",
      estimate: exact(detection.errors + ping.errors),
      threshold: { atMost: 0 },
    },
    {
      name: "Dead connections that Forebay handed out in these",
      estimate: exact(detection.stale + ping.stale),
      threshold: { atMost: 0 },
    },
    {
      name: "Longest request after silence over the ping's timeout: Forebay",
      estimate: exact(worst("ping")),
      threshold: { atMost: 2 },
      unit: "×",
      voidedBy:
        worst("ping") <= 2 || calibration.connectP99Ms <= plan.pingTimeoutMs / 2
          ? undefined
          : `a dial alone took up to ${duration(calibration.connectP99Ms)} on this machine.`,
    },
    {
      name: "Longest request after silence over the ping's timeout: one ping after the other",
      estimate: exact(worst("sequential")),
      threshold: { atLeast: 5 },
      unit: "×",
    },
    {
      name: "Errors after silence without a ping",
      estimate: exact(figures.of("silence", "detection").errors),
      threshold: { atLeast: 1 },
      note: "The negative control: nobody can notice what sends nothing.",
    },
    // Pauses between dials double, so that one may be as long as all before it, and is drawn from
    // the upper half of its range: at most twice the time without a server.
    {
      name: "Longest recovery of Forebay, over the time without a server or 1 s",
      estimate: exact(figures.recoveryRatio),
      threshold: { atMost: 2 },
      unit: "×",
    },
    {
      name: "Most dials of one of Forebay's pools at once",
      estimate: exact(figures.dialingMax),
      threshold: { atMost: MAX_DIALING },
    },
    ...writeQuestions(measured, figures),
    {
      name: "Acknowledged writes that are missing",
      estimate: exact(audit.missing),
      threshold: { atMost: 0 },
    },
  ];
}

function writeQuestions(measured: FailoverMeasured, figures: FailoverFigures): Question[] {
  const { audit } = measured;
  const { keepsServed, resetsRecoveryMs } = figures.readOnly;
  return [
    {
      name: "Writes done twice",
      estimate: exact(audit.duplicates),
      threshold: { atMost: 0 },
    },
    {
      name: "Writes done without an answer that were told as uncertain",
      estimate: exact(audit.unacknowledged > 0 ? surfacedRatio(measured) * 100 : 100),
      threshold: { atLeast: 100 },
      unit: "%",
      voidedBy:
        audit.unacknowledged > 0
          ? undefined
          : "no write had been done without an answer this time.",
    },
    {
      name: "From the switch to the first write, with reset() on a read-only error",
      estimate: exact(resetsRecoveryMs),
      threshold: { atMost: 1000 },
      unit: "ms",
    },
    {
      name: "Writes done after the switch without reset()",
      estimate: exact(keepsServed),
      threshold: { atMost: 0 },
      note: "The negative control: its connections still lead to the old primary.",
    },
  ];
}

function experimentText({ plan }: FailoverMeasured): string {
  return (
    `Two servers of the lab's own, without TLS and passwords. Pools of ${plan.connections} ` +
    `connections that have all been idle for ${duration(plan.idleMs)} meet, ` +
    `${counted(plan.rounds, "time")} each: a restart in order, a crash with restart, a switch of ` +
    "the address to the second server with all connections reset, and one where all go silent. " +
    `After the first three, ${plan.connections} requests come at once and then a steady few; ` +
    "after silence, one after the other. Pings come after " +
    `${duration(plan.pingAfterIdleMs)} of idling and have ${duration(plan.pingTimeoutMs)}. Then ` +
    "writes with tokens: at the first server, back and read-only, before and after the address " +
    `stands for the second; and from ${plan.connections} writers, half in transactions, while ` +
    `these faults come: ${listed(plan.writeFaults)}. The guide has 50 connections.`
  );
}

function armsOf({ runs }: FailoverMeasured): Arm[] {
  const measuresOf = (run: FaultRun): Record<string, number> => ({
    requests: run.requests,
    errors: run.requests - run.served,
    handedOutDead: run.stale,
    dials: run.dials,
    dialErrors: run.dialErrors,
    dialingMax: run.dialingMax,
    lostWhileIdle: run.lost,
    pings: run.pings,
    pingsFailed: run.pingsFailed,
    ...(run.downMs > 0 ? { withoutServerMs: run.downMs } : {}),
    ...(Number.isNaN(run.recoveryMs) ? {} : { recoveryMs: run.recoveryMs }),
    ...run.response.measures(),
    ...failureMeasures([run]),
  });
  return FAULTS.flatMap((fault) => {
    const all = runs.filter((run) => run.fault === fault);
    return all.map((run, index) => ({
      name: `${fault}, ${Math.floor(index / 4) + 1}: ${run.arm.name}`,
      role: roleOf(run),
      settings: run.arm.settings,
      measures: measuresOf(run),
    }));
  });
}

/** Where nothing is told, reading idle sockets is what cannot help. */
function roleOf(run: FaultRun): ArmRole {
  return run.fault === "silence" && run.kind === "detection" ? "negative control" : run.arm.role;
}

function readOnlyArms({ readOnly }: FailoverMeasured): Arm[] {
  return readOnly.map((run, index) => ({
    name: `read-only primary, ${Math.floor(index / 2) + 1}: ${run.resets ? "" : "no "}reset()`,
    role: run.resets ? "change" : "negative control",
    settings: {},
    measures: {
      writesAfterSwitch: run.writesAfter,
      doneAfterSwitch: run.servedAfter,
      refused: run.refused,
      ...(Number.isNaN(run.recoveryMs) ? {} : { recoveryMs: run.recoveryMs }),
    },
  }));
}

const SHORT = {
  naive: "database/sql's rules",
  sequential: "one ping after the other",
  detection: "Forebay, no ping",
  ping: "Forebay",
} as const;
const KINDS = ["naive", "sequential", "detection", "ping"] as const;
const ROLES = {
  naive: "baseline",
  sequential: "variant",
  detection: "variant",
  ping: "change",
} as const;

function plotsOf({ plan }: FailoverMeasured, figures: FailoverFigures): Plot[] {
  const { loud } = figures;
  const switchP99 = (kind: "naive" | "ping"): string =>
    duration(figures.of("switch", kind).response.percentileMs(99));
  return [
    barPlot(
      "Errors and dead connections handed out, in restarts and switches",
      `${figure(loud.naive.errors + loud.naive.stale)} by database/sql's rules, ` +
        `${figure(loud.ping.errors + loud.ping.stale)} with Forebay.`,
      { label: "events", scale: "linear" },
      KINDS.map((kind) => ({
        name: SHORT[kind],
        role: ROLES[kind],
        value: loud[kind].errors + loud[kind].stale,
      })),
    ),
    barPlot(
      "The longest request after silence",
      `A ping has ${duration(plan.pingTimeoutMs)}; without a ping, requests end by their ` +
        `deadline of ${duration(plan.silentDeadlineMs)}.`,
      { label: "ms", scale: "log" },
      KINDS.map((kind) => ({
        name: SHORT[kind],
        role: ROLES[kind],
        value: figures.of("silence", kind).response.maxMs,
      })),
      duration,
    ),
    latencyPlot(
      "Requests after the switch",
      `p99 was ${switchP99("naive")} by database/sql's rules, whose callers all dial at once, ` +
        `and ${switchP99("ping")} with Forebay, which dials ${MAX_DIALING} at a time.`,
      KINDS.map((kind) => ({ name: SHORT[kind], response: figures.of("switch", kind).response })),
    ),
  ];
}

function caveatsOf({ plan }: FailoverMeasured, figures: FailoverFigures): string[] {
  const naive = figures.of("fast restart", "naive");
  const own = figures.of("fast restart", "ping");
  return [
    "The baseline and the arm of one ping after the other are models over Forebay's driver. Go's " +
      "database/sql calls a Validator when a connection comes back; what can find a dead one " +
      "before its next use is the driver's ResetSession.",
    `While there was no server, Forebay's callers waited (each had ` +
      `${duration(plan.deadlineMs)}), and the pool dialed after growing pauses: ` +
      `${counted(own.dialErrors, "failed dial")} in the fast restarts. By database/sql's rules ` +
      `there were ${figure(naive.dialErrors)}, and callers saw ` +
      `${counted(naive.errors, "error")}. A service that would rather be told at once sets ` +
      'dialErrors: "reject".',
    "The servers do not replicate; a failover is imitated by the address of a proxy, which goes " +
      "to the second one. A server that does not answer a dial at all, where seconds are lost to " +
      "SYN packets, cannot be imitated by a proxy.",
    `After a restart Forebay's callers were served ${duration(figures.restartRecoveryMaxMs)} ` +
      "after the server at the latest: pauses between dials double, so that this grows with the " +
      `time without a server (here up to ${duration(figures.downMaxMs)}).`,
  ];
}

// Scenario 2, arms and plots as the report shows them.

import { mean, sum } from "../compare.ts";
import type { Arm, ArmRole, Plot } from "../scenario.ts";
import { duration, figure } from "../words.ts";
import { BURST, GUIDE_RATE_PER_S, type IdleTurn, responseOf, type Rules } from "./02-arms.ts";
import type { IdleFigures } from "./02-findings.ts";
import type { IdleMeasured } from "./02-idle-equals-open.ts";

const RULES: readonly Rules[] = ["database/sql", "Forebay"];
const LOADS: readonly ("bursts" | "sequential")[] = ["bursts", "sequential"];

/** All arms with their settings and measures. */
export function armsOfIdle(measured: IdleMeasured): Arm[] {
  const arms: Arm[] = [];
  for (const load of LOADS) {
    for (const rules of RULES) {
      const pairs = measured[load][rules];
      const isControl = load === "sequential";
      arms.push(
        armOf(
          isControl ? "one caller" : "bursts",
          rules,
          2,
          pairs.two,
          isControl ? "negative control" : "baseline",
        ),
        armOf(
          isControl ? "one caller" : "bursts",
          rules,
          10,
          pairs.all,
          isControl ? "negative control" : "change",
        ),
      );
    }
  }
  const steady = `${GUIDE_RATE_PER_S}/s at random`;
  return [
    ...arms,
    armOf("one caller", "Forebay", 0, measured.none, "variant"),
    armOf(steady, "database/sql", 2, measured.steady.two, "negative control"),
    armOf(steady, "database/sql", 10, measured.steady.all, "negative control"),
  ];
}

function armOf(
  load: string,
  rules: Rules,
  idle: number,
  turns: readonly IdleTurn[],
  role: ArmRole,
): Arm {
  const requests = sum(turns.map((turn) => turn.requests));
  const server = turns.map((turn) => turn.serverCpuMs).filter((ms) => ms !== undefined);
  return {
    name: `${rules === "Forebay" ? "Forebay" : "database/sql's rules"}, ${load}, ${idle} idle`,
    role,
    settings: { maxOpenConns: BURST.requests, maxIdleConns: idle },
    measures: {
      requests,
      ...responseOf(turns).measures(),
      dials: sum(turns.map((turn) => turn.dials)),
      maxIdleClosed: sum(turns.map((turn) => turn.maxIdleClosed)),
      waitCount: sum(turns.map((turn) => turn.waitCount)),
      clientCpuPerRequestMs: sum(turns.map((turn) => turn.clientCpuMs)) / requests,
      ...(server.length === turns.length ? { serverCpuPerRequestMs: sum(server) / requests } : {}),
      eventLoopUtilisationRatio: mean(turns.map((turn) => turn.utilisationRatio)),
      meanTurnMs: mean(turns.map((turn) => turn.durationMs)),
    },
  };
}

/** The plots of scenario 2. */
export function plotsOfIdle(measured: IdleMeasured, figures: IdleFigures): Plot[] {
  const { bursts } = measured;
  const go = figures.bursts["database/sql"];
  const own = figures.bursts.Forebay;
  const bar = (name: string, value: number, role: ArmRole) => ({
    name,
    value,
    role,
    label: figure(value),
  });
  return [
    {
      kind: "lines",
      title: "Latency in bursts of ten",
      note:
        `p99 by database/sql's rules ${duration(go.twoP99Ms)} with two idle, ` +
        `${duration(go.allP99Ms)} with ten; Forebay ${duration(own.twoP99Ms)} and ` +
        `${duration(own.allP99Ms)}.`,
      x: { label: "percentile", scale: "percentile" },
      y: { label: "ms", scale: "log" },
      series: [
        {
          name: "database/sql's rules, 2 idle",
          style: "dashes",
          points: responseOf(bursts["database/sql"].two).curve(),
        },
        {
          name: "database/sql's rules, 10 idle",
          style: "line",
          points: responseOf(bursts["database/sql"].all).curve(),
        },
        {
          name: "Forebay, 2 idle",
          style: "dashes",
          points: responseOf(bursts.Forebay.two).curve(),
        },
        { name: "Forebay, 10 idle", style: "line", points: responseOf(bursts.Forebay.all).curve() },
      ],
    },
    {
      kind: "bars",
      title: "Connections dialed",
      note:
        `In ${sum(bursts.Forebay.two.map((turn) => turn.bursts))} bursts each, all connections ` +
        "open beforehand: each dial replaces one that was closed too early.",
      x: { label: "dials", scale: "linear" },
      bars: [
        bar("database/sql's rules, 2 idle", go.dialsTwo, "baseline"),
        bar("Forebay, 2 idle", own.dialsTwo, "baseline"),
        bar("database/sql's rules, 10 idle", go.dialsAll, "change"),
        bar("Forebay, 10 idle", own.dialsAll, "change"),
      ],
    },
    sequentialPlot(measured, figures),
  ];
}

function sequentialPlot(measured: IdleMeasured, figures: IdleFigures): Plot {
  const { sequential, none } = measured;
  const at = (turns: readonly IdleTurn[]): number => responseOf(turns).percentileMs(50);
  const bars = [
    { name: "none idle", turns: none, role: "variant" as const },
    { name: "2 idle", turns: sequential.Forebay.two, role: "negative control" as const },
    { name: "10 idle", turns: sequential.Forebay.all, role: "negative control" as const },
  ];
  return {
    kind: "bars",
    title: "One caller, p50",
    note:
      "Two or ten idle make no difference to one caller " +
      `(${figure(figures.sequential.Forebay.value)} times); none makes it ` +
      `${figure(figures.noneRatio.value)} times as slow.`,
    x: { label: "ms", scale: "log" },
    bars: bars.map(({ name, turns, role }) => ({
      name,
      value: at(turns),
      role,
      label: duration(at(turns)),
    })),
  };
}

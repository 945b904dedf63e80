// Scenario 2, arms and plots as the report shows them.

import { mean, sum } from "../compare.ts";
import { barPlot, latencyPlot } from "../plot.ts";
import type { Arm, ArmRole, Plot } from "../scenario.ts";
import { measuresOf, responseOf } from "../turn.ts";
import { duration, figure } from "../words.ts";
import { BURST, type IdleTurn, type Rules } from "./02-arms.ts";
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
  const steady = `${measured.work.ratePerS}/s at random`;
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
  return {
    name: `${rules === "Forebay" ? "Forebay" : "database/sql's rules"}, ${load}, ${idle} idle`,
    role,
    settings: { maxOpenConns: BURST.requests, maxIdleConns: idle },
    measures: {
      ...measuresOf(turns),
      dials: sum(turns.map((turn) => turn.dials)),
      maxIdleClosed: sum(turns.map((turn) => turn.maxIdleClosed)),
      waitCount: sum(turns.map((turn) => turn.waitCount)),
      meanTurnMs: mean(turns.map((turn) => turn.durationMs)),
    },
  };
}

/** The plots of scenario 2. */
export function plotsOfIdle(measured: IdleMeasured, figures: IdleFigures): Plot[] {
  const { bursts } = measured;
  const go = figures.bursts["database/sql"];
  const own = figures.bursts.Forebay;
  return [
    latencyPlot(
      "Latency in bursts of ten",
      `p99 by database/sql's rules ${duration(go.twoP99Ms)} with two idle, ` +
        `${duration(go.allP99Ms)} with ten; Forebay ${duration(own.twoP99Ms)} and ` +
        `${duration(own.allP99Ms)}.`,
      [
        {
          name: "database/sql's rules, 2 idle",
          style: "dashes",
          response: responseOf(bursts["database/sql"].two),
        },
        {
          name: "database/sql's rules, 10 idle",
          response: responseOf(bursts["database/sql"].all),
        },
        { name: "Forebay, 2 idle", style: "dashes", response: responseOf(bursts.Forebay.two) },
        { name: "Forebay, 10 idle", response: responseOf(bursts.Forebay.all) },
      ],
    ),
    barPlot(
      "Connections dialed",
      `In ${sum(bursts.Forebay.two.map((turn) => turn.bursts))} bursts each, all connections ` +
        "open beforehand: each dial replaces one that was closed too early.",
      { label: "dials", scale: "linear" },
      [
        { name: "database/sql's rules, 2 idle", value: go.dialsTwo, role: "baseline" },
        { name: "Forebay, 2 idle", value: own.dialsTwo, role: "baseline" },
        { name: "database/sql's rules, 10 idle", value: go.dialsAll, role: "change" },
        { name: "Forebay, 10 idle", value: own.dialsAll, role: "change" },
      ],
    ),
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
  return barPlot(
    "One caller, p50",
    "Two or ten idle make no difference to one caller " +
      `(${figure(figures.sequential.Forebay.value)} times); none makes it ` +
      `${figure(figures.noneRatio.value)} times as slow.`,
    { label: "ms", scale: "log" },
    bars.map(({ name, turns, role }) => ({ name, value: at(turns), role })),
    duration,
  );
}

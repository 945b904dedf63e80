// Scenario 6, arms and plots as the report shows them.

import type { ChunkedTurn } from "../chunks.ts";
import { median } from "../compare.ts";
import { barPlot, type NamedValue } from "../plot.ts";
import type { Arm, ArmRole, Plot } from "../scenario.ts";
import { measuresOf } from "../turn.ts";
import { duration, figure } from "../words.ts";
import { ARMS, DELAY_MS, type HotArm, PARTITIONS, TEXTS, TEXTS_KEPT } from "./06-arms.ts";
import type { HotFigures } from "./06-findings.ts";
import type { HotMeasured } from "./06-prepared-hot-query.ts";

interface Shown {
  readonly name: string;
  readonly role: ArmRole;
  readonly mode: string;
}

const FAR = `${2 * DELAY_MS} ms`;

const SHOWN: Readonly<Record<HotArm, Shown>> = {
  simple: { name: "values in the text", role: "variant", mode: "simple" },
  exec: { name: "text each time", role: "baseline", mode: "exec" },
  describeExec: { name: "types first", role: "variant", mode: "describe-exec" },
  cacheDescribe: { name: "types kept", role: "variant", mode: "cache-describe" },
  cached: { name: "prepared (default)", role: "change", mode: "cache-statement" },
  stmt: { name: "Stmt", role: "change", mode: "exec" },
  thrash: {
    name: `${TEXTS} texts, ${TEXTS_KEPT} kept`,
    role: "negative control",
    mode: "cache-statement",
  },
  partitionedExec: {
    name: `${PARTITIONS} partitions, text each time`,
    role: "baseline",
    mode: "exec",
  },
  partitionedCached: {
    name: `${PARTITIONS} partitions, prepared`,
    role: "change",
    mode: "cache-statement",
  },
  nearDescribeExec: {
    name: "no delay, types first",
    role: "negative control",
    mode: "describe-exec",
  },
  nearExec: { name: "no delay, text each time", role: "negative control", mode: "exec" },
  nearCached: { name: "no delay, prepared", role: "negative control", mode: "cache-statement" },
  farDescribeExec: { name: `${FAR}, types first`, role: "baseline", mode: "describe-exec" },
  farExec: { name: `${FAR}, text each time`, role: "baseline", mode: "exec" },
  farCached: { name: `${FAR}, prepared`, role: "change", mode: "cache-statement" },
  skewExec: { name: "rare value, text each time", role: "variant", mode: "exec" },
  skewRare: { name: "rare value from the first", role: "variant", mode: "cache-statement" },
  skewTrapped: {
    name: "rare value, after common ones",
    role: "negative control",
    mode: "cache-statement",
  },
  skewCustom: {
    name: "rare value, after common ones, force_custom_plan",
    role: "variant",
    mode: "cache-statement",
  },
};

/** All arms with their settings and measures. */
export function armsOfHot({ arms }: HotMeasured): Arm[] {
  return ARMS.map((arm) => {
    const turns = arms[arm];
    const backend = turns.map((turn) => turn.backendCpuMs).filter((ms) => ms !== undefined);
    return {
      name: SHOWN[arm].name,
      role: SHOWN[arm].role,
      settings: { statementMode: SHOWN[arm].mode, maxOpenConns: 1 },
      measures: {
        ...measuresOf(turns),
        quartileMs: median(turns.map((turn) => turn.timeMs)),
        ...(backend.length === 0 ? {} : { serverCpuQuartileUs: median(backend) * 1000 }),
      },
    };
  });
}

const LOCAL: readonly HotArm[] = [
  "simple",
  "exec",
  "describeExec",
  "cacheDescribe",
  "cached",
  "stmt",
  "thrash",
];

/** The plots of scenario 6. */
export function plotsOfHot(measured: HotMeasured, figures: HotFigures): Plot[] {
  const { server } = figures;
  return [
    barPlot(
      `Time of ${measured.query.name}`,
      `Prepared takes ${figure(figures.cachedOverExec.value)} times as long as with the text ` +
        "each time; with too many texts for the cache " +
        `${figure(figures.thrashOverExec.value)} times.`,
      { label: "ms", scale: "linear" },
      barsOf(measured, LOCAL, (turn) => turn.timeMs),
      duration,
    ),
    ...(server === undefined
      ? []
      : [
          barPlot(
            `CPU time of the server for ${measured.query.name}`,
            `Prepared takes ${figure(server.cachedUs.value)} µs, ` +
              `${figure(server.savedUs.value)} µs less than with the text each time.`,
            { label: "µs", scale: "linear" },
            barsOf(measured, LOCAL, (turn) => 1000 * (turn.backendCpuMs ?? Number.NaN)),
          ),
        ]),
    networkPlot(measured, figures),
    planPlot(measured, figures),
  ];
}

function networkPlot(measured: HotMeasured, figures: HotFigures): Plot {
  const near: readonly HotArm[] = ["nearDescribeExec", "nearExec", "nearCached"];
  const far: readonly HotArm[] = ["farDescribeExec", "farExec", "farCached"];
  return barPlot(
    "Time with a network between",
    `With a round trip of ${FAR} prepared takes ` +
      `${figure(figures.farCachedOverDescribe.value)} times as long as asking for the types ` +
      `first, ${figure(figures.farCachedOverExec.value)} times as long as the text each time.`,
    { label: "ms", scale: "linear" },
    barsOf(measured, [...near, ...far], (turn) => turn.timeMs),
    duration,
  );
}

function planPlot(measured: HotMeasured, figures: HotFigures): Plot {
  const partitioned: readonly HotArm[] = ["partitionedExec", "partitionedCached"];
  const skewed: readonly HotArm[] = ["skewExec", "skewRare", "skewTrapped", "skewCustom"];
  return barPlot(
    "Plans: partitions, and a rare value",
    `With ${PARTITIONS} partitions prepared takes ${figure(figures.partitioned.value)} times as ` +
      "long; a rare value after common ones " +
      `${figure(figures.trappedOverCustom.value)} times as long as with a plan of its own.`,
    { label: "ms", scale: "log" },
    barsOf(measured, [...partitioned, ...skewed], (turn) => turn.timeMs),
    duration,
  );
}

function barsOf(
  { arms }: HotMeasured,
  names: readonly HotArm[],
  valueOf: (turn: ChunkedTurn) => number,
): NamedValue[] {
  return names.map((arm) => ({
    name: SHOWN[arm].name,
    role: SHOWN[arm].role,
    value: median(arms[arm].map(valueOf)),
  }));
}

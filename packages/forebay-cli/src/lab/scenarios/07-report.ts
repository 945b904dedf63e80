// Scenario 7, arms and plots as the report shows them.

import { median } from "../compare.ts";
import { barPlot } from "../plot.ts";
import type { Arm, ArmRole, Plot } from "../scenario.ts";
import { measuresOf } from "../turn.ts";
import { duration, figure } from "../words.ts";
import {
  ARMS,
  BATCH,
  CALLERS,
  CONNECTIONS,
  DELAY_MS,
  LARGE_ROWS,
  type LayersArm,
} from "./07-arms.ts";
import type { LayersFigures } from "./07-findings.ts";
import type { LayersMeasured } from "./07-native-or-portable.ts";

interface Shown {
  readonly name: string;
  readonly role: ArmRole;
  readonly connections: number;
}

const SHOWN: Readonly<Record<LayersArm, Shown>> = {
  driver: { name: "one row, driver alone", role: "variant", connections: 1 },
  portable: { name: "one row, portable", role: "baseline", connections: 1 },
  native: { name: "one row, native", role: "negative control", connections: 1 },
  socketPortable: {
    name: "one row, Unix socket, portable",
    role: "variant",
    connections: 1,
  },
  socketNative: {
    name: "one row, Unix socket, native",
    role: "negative control",
    connections: 1,
  },
  portableMany: {
    name: `${CALLERS} callers, portable`,
    role: "baseline",
    connections: CONNECTIONS,
  },
  pipelinedMany: {
    name: `${CALLERS} callers, native, pipelining`,
    role: "change",
    connections: CONNECTIONS,
  },
  largeText: { name: "large result, portable, text", role: "variant", connections: 1 },
  largeObjects: { name: "large result, portable, objects", role: "baseline", connections: 1 },
  largeArrays: { name: "large result, portable, arrays", role: "variant", connections: 1 },
  largeColumns: { name: "large result, native, columns", role: "change", connections: 1 },
  nearOneByOne: {
    name: `${BATCH} queries one by one, no delay`,
    role: "negative control",
    connections: 1,
  },
  nearBatch: { name: `batch of ${BATCH}, no delay`, role: "negative control", connections: 1 },
  farOneByOne: {
    name: `${BATCH} queries one by one, ${2 * DELAY_MS} ms`,
    role: "baseline",
    connections: 1,
  },
  farAtOnce: {
    name: `${BATCH} queries at once, ${2 * DELAY_MS} ms`,
    role: "variant",
    connections: BATCH,
  },
  farBatch: { name: `batch of ${BATCH}, ${2 * DELAY_MS} ms`, role: "change", connections: 1 },
};

/** All arms with their settings and measures. */
export function armsOfLayers({ arms }: LayersMeasured): Arm[] {
  return ARMS.filter((arm) => arms[arm].length > 0).map((arm) => ({
    name: SHOWN[arm].name,
    role: SHOWN[arm].role,
    settings: { maxOpenConns: SHOWN[arm].connections },
    measures: measuresOf(arms[arm]),
  }));
}

/** The plots of scenario 7. */
export function plotsOfLayers(measured: LayersMeasured, figures: LayersFigures): Plot[] {
  const bars = (names: readonly LayersArm[], value: (arm: LayersArm) => number) =>
    names.map((arm) => ({ name: SHOWN[arm].name, role: SHOWN[arm].role, value: value(arm) }));
  const cpuUs = (arm: LayersArm): number =>
    median(measured.arms[arm].map((turn) => turn.cpuMs)) * 1000;
  const timeMs = (arm: LayersArm): number => median(measured.arms[arm].map((turn) => turn.timeMs));
  return [
    barPlot(
      "CPU time of the client for one row",
      `Pool and layer take ${figure(figures.layerCpuUs)} µs more than the driver alone; ` +
        `pipelining takes ${figure(figures.pipelinedOverPortable.cpu.value)} times the portable ` +
        "layer's with as many callers.",
      { label: "µs", scale: "linear" },
      bars(["driver", "portable", "native", "portableMany", "pipelinedMany"], cpuUs),
    ),
    barPlot(
      `CPU time of the client for ${figure(LARGE_ROWS)} rows`,
      `Binary over text ${figure(figures.objectsOverText.cpu.value)} times; columns over objects ` +
        `${figure(figures.columnsOverObjects.cpu.value)} times.`,
      { label: "µs", scale: "linear" },
      bars(["largeText", "largeObjects", "largeArrays", "largeColumns"], cpuUs),
    ),
    barPlot(
      `Time of ${BATCH} queries`,
      `With a round trip of ${2 * DELAY_MS} ms a batch takes ` +
        `${figure(figures.farBatch.time.value)} times as long as one by one, at once on ` +
        `${BATCH} connections ${figure(figures.farAtOnce.time.value)} times; without delay a ` +
        `batch takes ${figure(figures.nearBatch.time.value)} times.`,
      { label: "ms", scale: "log" },
      bars(["nearOneByOne", "nearBatch", "farOneByOne", "farAtOnce", "farBatch"], timeMs),
      duration,
    ),
  ];
}

// Scenario 1, the pictures as data.

import { median } from "../compare.ts";
import { erlangC, fitUsl } from "../queueing.ts";
import type { Plot, Series } from "../scenario.ts";
import { figure, percent } from "../words.ts";
import { responseOf } from "./01-arms.ts";
import type { LittleFigures } from "./01-findings.ts";
import type { LittleMeasured } from "./01-littles-law.ts";

/** The plots of scenario 1. */
export function plotsOfLittle(measured: LittleMeasured, figures: LittleFigures): Plot[] {
  return [
    waitedPlot(measured, figures),
    tailPlot(measured, figures),
    backendsPlot(measured, figures),
    kneePlot(measured, figures),
  ];
}

function waitedPlot(measured: LittleMeasured, figures: LittleFigures): Plot {
  const { plan } = measured;
  const predicted: [number, number][] = [];
  for (let size = Math.ceil(plan.load) + 1; size <= plan.big; size++) {
    const share = erlangC(size, plan.load);
    if (share >= 1e-5) predicted.push([size, share * 100]);
  }
  const shown = figures.shares.filter((share) => share.corrected.value >= 1e-5);
  return {
    kind: "lines",
    title: "Share of requests that wait",
    note:
      `At ${figures.probeShare.size} connections ${percent(figures.probeShare.corrected.value)} waited, Erlang's formula says ` +
      `${percent(figures.probeShare.erlang)}; at ${plan.chosen}, ${percent(figures.chosenShare.corrected.value)} ` +
      `against ${percent(figures.chosenShare.erlang)}.`,
    x: { label: "connections", scale: "linear" },
    y: { label: "% that wait", scale: "log" },
    series: [
      { name: "predicted", style: "line", points: predicted },
      {
        name: "measured",
        style: "dots",
        points: shown.map((share) => [share.size, share.corrected.value * 100]),
      },
    ],
  };
}

function tailPlot(measured: LittleMeasured, figures: LittleFigures): Plot {
  const { plan } = measured;
  return {
    kind: "lines",
    title: "Latency under steady load",
    note:
      `${plan.chosen} and ${plan.big} connections on the same arrivals: p99 ${figure(figures.p99Ratio.value)} times. ` +
      `${plan.tooFew} (rate times median) cannot keep up.`,
    x: { label: "percentile", scale: "percentile" },
    y: { label: "ms", scale: "log" },
    series: [
      { name: `${plan.tooFew}`, style: "dashes", points: measured.tooFew.response.curve() },
      { name: `${plan.chosen}`, style: "line", points: responseOf(measured.chosen).curve() },
      { name: `${plan.big}`, style: "line", points: responseOf(measured.big).curve() },
    ],
  };
}

function backendsPlot(measured: LittleMeasured, figures: LittleFigures): Plot {
  const { plan, bursts } = measured;
  const series: Series[] = [];
  const add = (name: string, turn: (typeof bursts.chosen)[number] | undefined): void => {
    if (turn !== undefined) {
      const points = turn.backends.points.map(([atMs, count]) => [atMs / 1000, count] as const);
      series.push({ name, style: "steps", points });
    }
  };
  add("no limit, database/sql's rules", bursts.unlimited[0]);
  add("no limit, Forebay", bursts.forebayUnlimited[0]);
  add(`${plan.chosen}`, bursts.chosen[0]);
  add(`${plan.big}`, bursts.big[0]);
  const failed = plan.mayExhaust
    ? ` Without a limit ${percent(figures.burst.unlimitedErrorRatio)} of the burst failed.`
    : "";
  return {
    kind: "lines",
    title: "Connections over time, through a burst",
    note:
      `The burst begins after ${figure(plan.leadMs)} ms and lasts ${figure(plan.burstMs)} ms.${failed} With ` +
      `${plan.chosen} connections ${figures.burst.chosenErrors} requests failed.`,
    x: { label: "s", scale: "linear" },
    y: { label: "backends", scale: "linear" },
    series,
  };
}

function kneePlot(measured: LittleMeasured, figures: LittleFigures): Plot {
  const points = measured.cpu.points.map((point): [number, number] => [
    point.size,
    median(point.perS),
  ]);
  const fit = fitUsl(points);
  const series: Series[] = [{ name: "measured", style: "dots", points }];
  if (fit !== undefined) {
    const curve = points.map(([size]): [number, number] => [
      size,
      (fit.single * size) / (1 + fit.sigma * (size - 1) + fit.kappa * size * (size - 1)),
    ]);
    series.push({ name: "law of scalability, fitted", style: "dashes", points: curve });
  }
  return {
    kind: "lines",
    title: "Work that needs the server's processors",
    note:
      `${figures.knee.size} connections reach 95 % of the best throughput; ${figures.knee.largest} give ` +
      `${figure(figures.knee.throughputRatio.value)} times as much at ${figure(figures.knee.p99Ratio.value)} times the p99.`,
    x: { label: "connections", scale: "log" },
    y: { label: "requests/s", scale: "linear" },
    series,
  };
}

// Scenario 1, the pictures as data.

import { median } from "../compare.ts";
import { erlangC, fitUsl } from "../queueing.ts";
import type { Plot, Series } from "../scenario.ts";
import { duration, figure, percent } from "../words.ts";
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
  const predicted = (load: number): [number, number][] => {
    const points: [number, number][] = [];
    for (let size = Math.ceil(plan.load) + 1; size <= plan.big; size++) {
      const share = erlangC(size, load);
      if (share >= 1e-5) points.push([size, share * 100]);
    }
    return points;
  };
  const shown = figures.shares.filter((share) => share.corrected.value >= 1e-5);
  const { chosenShare, probeShare } = figures;
  return {
    kind: "lines",
    title: "Share of requests that wait",
    note:
      `At ${probeShare.size} connections ${percent(probeShare.corrected.value)} waited; Erlang's ` +
      `formula says ${percent(probeShare.erlang)} for the load as planned, ` +
      `${percent(probeShare.erlangMeasured)} for the load as measured. At ${plan.chosen}: ` +
      `${percent(chosenShare.corrected.value)}, ${percent(chosenShare.erlang)} and ` +
      `${percent(chosenShare.erlangMeasured)}.`,
    x: { label: "connections", scale: "linear" },
    y: { label: "% that wait", scale: "log" },
    series: [
      { name: "predicted, load as planned", style: "line", points: predicted(plan.load) },
      {
        name: "measured",
        style: "dots",
        points: shown.map((share) => [share.size, share.corrected.value * 100]),
      },
      {
        name: "predicted, load as measured",
        style: "dashes",
        points: predicted(figures.measuredLoad),
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
      `${plan.chosen} and ${plan.big} connections on the same arrivals: p99 ` +
      `${figure(figures.p99Ratio.value)} times. With ${plan.tooFew} (rate times median) the ` +
      `slowest took ${duration(measured.tooFew.response.maxMs)}.`,
    x: { label: "percentile", scale: "percentile" },
    y: { label: "ms", scale: "log" },
    series: [
      {
        name: `${plan.tooFew} connections`,
        style: "dashes",
        points: measured.tooFew.response.curve(),
      },
      {
        name: `${plan.chosen} connections`,
        style: "line",
        points: responseOf(measured.chosen).curve(),
      },
      { name: `${plan.big} connections`, style: "line", points: responseOf(measured.big).curve() },
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
  add(`${plan.chosen} connections`, bursts.chosen[0]);
  add(`${plan.big} connections`, bursts.big[0]);
  const failed = plan.mayExhaust
    ? ` Without a limit ${percent(figures.burst.unlimitedErrorRatio)} of the burst failed.`
    : "";
  return {
    kind: "lines",
    title: "Connections over time, through a burst",
    note:
      `The burst begins after ${figure(plan.leadMs)} ms and lasts ${figure(plan.burstMs)} ` +
      `ms.${failed} With ${plan.chosen} connections ${figures.burst.chosenErrors} requests ` +
      "failed.",
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
      `${figures.knee.size} connections reach 95 % of the best throughput; ` +
      `${figures.knee.largest} give ${figure(figures.knee.throughputRatio.value)} times as much ` +
      `at ${figure(figures.knee.p99Ratio.value)} times the p99.`,
    x: { label: "connections", scale: "log" },
    y: { label: "requests/s", scale: "linear" },
    series,
  };
}

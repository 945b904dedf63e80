// What `forebay simulate` shows: the run in figures and in plots, as text and as plots for a page.

import type { LinePlot } from "../lab/scenario.ts";
import { counted, duration, figure, percent } from "../lab/words.ts";
import { wrapText } from "../terminal/wrap.ts";
import type { Comparison } from "./check.ts";
import { comparisonLines } from "./print.ts";
import type { Simulation } from "./simulation.ts";
import { drawTextPlot, grouped } from "./text-plot.ts";
import type { TimelineBin } from "./timeline.ts";
import type { Workload } from "./workload.ts";

/** What a run is shown from. */
export interface SimulationFindings {
  readonly workload: Workload;
  readonly simulation: Simulation;
  readonly comparisons: readonly Comparison[];
  /** Connections in use on average, were there enough of them. */
  readonly load: number;
}

const PLOT_COLUMNS = 70;

/** The text, ending with a line break. */
export function printSimulation(findings: SimulationFindings): string {
  const { simulation } = findings;
  const { plan } = simulation;
  const ends = ["0 s", `${duration(plan.durationMs)} of virtual time`] as const;
  const columns = grouped(simulation.bins, PLOT_COLUMNS);
  const inUse = drawTextPlot({
    title: `Connections in use, of ${figure(plan.connections)}   █ average  ░ most`,
    columns: columns.map((bins) => column(bins, "InUse")),
    top: plan.connections,
    rows: 8,
    ends,
    label: figure,
  });
  const mostWaiting = Math.max(1, ...simulation.bins.map((bin) => bin.mostWaiting));
  const waiting = drawTextPlot({
    title: `Requests that wait, at most ${figure(mostWaiting)}   █ average  ░ most`,
    columns: columns.map((bins) => column(bins, "Waiting")),
    top: mostWaiting,
    rows: 5,
    ends,
    label: figure,
  });
  const parts = [
    headline(findings),
    inUse.join("\n"),
    waiting.join("\n"),
    comparisonLines(findings.comparisons).join("\n"),
    wrapText(outcome(findings)),
  ].filter((part) => part !== "");
  return `${parts.join("\n\n")}\n`;
}

function column(
  bins: readonly TimelineBin[],
  what: "InUse" | "Waiting",
): { mean: number; most: number } {
  const means = bins.map((bin) => bin[`mean${what}`]);
  return {
    mean: means.reduce((sum, mean) => sum + mean, 0) / means.length,
    most: Math.max(...bins.map((bin) => bin[`most${what}`])),
  };
}

function headline({ simulation, load }: SimulationFindings): string {
  const { plan, requests } = simulation;
  const small =
    load < plan.connections
      ? ""
      : ` That is more than ${figure(plan.connections)} can carry: the queue grows until ` +
        "requests are turned away, and no theory of steady queues applies.";
  return wrapText(
    `${figure(requests)} requests at ${figure(plan.ratePerS)} a second, held for ` +
      `${duration(simulation.meanHoldMs)} on average, on ` +
      `${counted(plan.connections, "connection")} (seed ${plan.seed}): ` +
      `${figure(load)} would be in use on average.${small}`,
  );
}

/** What became of the requests, as sentences. */
export function outcome({ simulation }: SimulationFindings): string {
  const { waited, waitP99Ms, longestWaitMs, timedOut, queueFull, requests, plan } = simulation;
  const turnedAway =
    timedOut + queueFull === 0
      ? "None was turned away."
      : `${percent((timedOut + queueFull) / requests)} were turned away: ` +
        `${figure(timedOut)} after acquireTimeoutMs ${figure(plan.acquireTimeoutMs)}, ` +
        `${figure(queueFull)} because maxWaiters ${figure(plan.maxWaiters)} were waiting.`;
  return (
    `Of all requests ${percent(Number(waited.value.toPrecision(2)))} waited; p99 of the wait ` +
    `${duration(waitP99Ms)}, the longest ${duration(longestWaitMs)}. ${turnedAway}`
  );
}

/** The plots of a page. */
export function plotsOf({ simulation }: SimulationFindings): readonly LinePlot[] {
  const { bins, plan } = simulation;
  const longest = simulation.bins.reduce((most, bin) => Math.max(most, bin.mostWaiting), 0);
  const points = (valueOf: (bin: TimelineBin) => number): (readonly [number, number])[] =>
    bins.map((bin) => [bin.atMs / 1000, valueOf(bin)]);
  const x = { label: "seconds of virtual time", scale: "linear" } as const;
  return [
    {
      kind: "lines",
      title: "Connections in use",
      note: `${figure(simulation.meanInUse)} of ${figure(plan.connections)} on average.`,
      x,
      y: { label: "connections", scale: "linear" },
      series: [
        { name: "average", style: "steps", points: points((bin) => bin.meanInUse) },
        { name: "most", style: "dashes", points: points((bin) => bin.mostInUse) },
      ],
    },
    {
      kind: "lines",
      title: "Requests that wait",
      note: `At most ${figure(longest)} at once.`,
      x,
      y: { label: "requests", scale: "linear" },
      series: [
        { name: "average", style: "steps", points: points((bin) => bin.meanWaiting) },
        { name: "most", style: "dashes", points: points((bin) => bin.mostWaiting) },
      ],
    },
  ];
}

// The pictures that many scenarios have.

import type { LatencyHistogram } from "./histogram.ts";
import type { ArmRole, BarPlot, LinePlot, Series } from "./scenario.ts";
import { figure } from "./words.ts";

/** One curve of a latency plot. */
export interface LatencyCurve {
  readonly name: string;
  readonly response: LatencyHistogram;
  /** @defaultValue "line" */
  readonly style?: Series["style"];
}

/** Latency by percentile, on an axis that shows tails. `note` is a sentence with figures. */
export function latencyPlot(
  title: string,
  note: string,
  curves: readonly LatencyCurve[],
): LinePlot {
  return {
    kind: "lines",
    title,
    note,
    x: { label: "percentile", scale: "percentile" },
    y: { label: "ms", scale: "log" },
    series: curves.map(({ name, response, style = "line" }) => ({
      name,
      style,
      points: response.curve(),
    })),
  };
}

/** One bar of a bar plot. */
export interface NamedValue {
  readonly name: string;
  readonly value: number;
  readonly role: ArmRole;
}

/** Bars with their values at their ends. `note` is a sentence with figures. */
export function barPlot(
  title: string,
  note: string,
  x: BarPlot["x"],
  bars: readonly NamedValue[],
  label: (value: number) => string = figure,
): BarPlot {
  const labelled = bars.map((bar) => ({ ...bar, label: label(bar.value) }));
  return { kind: "bars", title, note, x, bars: labelled };
}

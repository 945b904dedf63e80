// Pictures: plots from data to SVG, without a script. Colours come from the page's style sheet, so
// that they follow its light or dark scheme; lines differ by dashes as well, for those who cannot
// tell the colours.

import { scaleLinear, scaleLog } from "d3-scale";
import { curveStepAfter, line } from "d3-shape";
import type { Axis, BarPlot, LinePlot, Plot, Series } from "../lab/scenario.ts";
import { figure } from "../lab/words.ts";
import { html, type Markup } from "./escape.ts";

const WIDTH = 440;
const HEIGHT = 270;
const MARGIN = { top: 12, right: 14, bottom: 40, left: 52 } as const;

/** A plot with its title, its legend and its sentence. */
export function renderPlot(plot: Plot): Markup {
  const picture = plot.kind === "lines" ? linePicture(plot) : barPicture(plot);
  return html`<figure><h4>${plot.title}</h4>${picture}${
    plot.kind === "lines" ? legend(plot.series) : undefined
  }<figcaption>${plot.note}</figcaption></figure>`;
}

type Place = (value: number) => number;

interface PlacedAxis {
  readonly place: Place;
  readonly ticks: readonly number[];
}

function linePicture(plot: LinePlot): Markup {
  const points = plot.series.flatMap((series) => series.points);
  const x = placeAxis(
    plot.x,
    points.map(([at]) => at),
    [MARGIN.left, WIDTH - MARGIN.right],
  );
  const y = placeAxis(
    plot.y,
    points.map(([, value]) => value),
    [HEIGHT - MARGIN.bottom, MARGIN.top],
  );
  const shapes = plot.series.map((series, index) => seriesShape(series, index, x.place, y.place));
  return html`<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${plot.title}. ${plot.note}">${gridY(
    y,
  )}${gridX(x, plot.x)}${axisLabels(plot)}${shapes}</svg>`;
}

/**
 * The scale of percentiles: 1 / (1 - p) on a logarithmic scale, so that 90, 99 and 99.9 are equally
 * far apart.
 */
function percentilePosition(percentile: number): number {
  return -Math.log10(Math.max(1 - percentile / 100, 1e-6));
}

function placeAxis(axis: Axis, values: readonly number[], range: [number, number]): PlacedAxis {
  const known = values.filter((value) => Number.isFinite(value));
  const low = Math.min(...known);
  const high = Math.max(...known);
  if (axis.scale === "percentile") {
    const most = percentilePosition(high);
    const scale = scaleLinear([0, Math.max(most, 1)], range);
    const ticks = [0, 50, 90, 99, 99.9, 99.99].filter((tick) => percentilePosition(tick) <= most);
    return { place: (value) => scale(percentilePosition(value)), ticks };
  }
  if (axis.scale === "log") {
    const positive = known.filter((value) => value > 0);
    const least = Math.min(...positive);
    const most = Math.max(...positive);
    const scale = scaleLog([least / 1.15, Math.max(most * 1.15, least * 4)], range);
    return {
      place: (value) => scale(Math.max(value, least / 1.15)),
      ticks: logTicks(scale.domain()),
    };
  }
  const fromZero = low >= 0 && low < 0.6 * high;
  const scale = scaleLinear([fromZero ? 0 : low, high === low ? low + 1 : high * 1.04], range);
  return { place: (value) => scale(value), ticks: scale.ticks(5) };
}

function logTicks(domain: readonly number[]): number[] {
  const [low = 1, high = 10] = domain;
  const decades = Math.log10(high / low);
  const steps = decades > 4 ? [1] : decades > 1.6 ? [1, 3] : [1, 2, 5];
  const ticks: number[] = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
    for (const step of steps) {
      const tick = step * 10 ** power;
      if (tick >= low && tick <= high) ticks.push(tick);
    }
  }
  return ticks;
}

function gridY(axis: PlacedAxis): Markup[] {
  return axis.ticks.map((tick) => {
    const at = round(axis.place(tick));
    return html`<line class="grid" x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${at}" y2="${at}"/><text x="${
      MARGIN.left - 6
    }" y="${at + 4}" text-anchor="end">${figure(tick)}</text>`;
  });
}

function gridX(axis: PlacedAxis, about: Axis): Markup[] {
  const bottom = HEIGHT - MARGIN.bottom;
  return axis.ticks.map((tick) => {
    const at = round(axis.place(tick));
    const text = about.scale === "percentile" ? (tick === 0 ? "0" : String(tick)) : figure(tick);
    return html`<line class="grid" x1="${at}" x2="${at}" y1="${MARGIN.top}" y2="${bottom}"/><text x="${at}" y="${
      bottom + 16
    }" text-anchor="middle">${text}</text>`;
  });
}

function axisLabels(plot: LinePlot): Markup {
  const middle = (MARGIN.left + WIDTH - MARGIN.right) / 2;
  return html`<text class="axis" x="${middle}" y="${HEIGHT - 6}" text-anchor="middle">${
    plot.x.label
  }</text><text class="axis" transform="translate(12 ${HEIGHT / 2 - 14}) rotate(-90)" text-anchor="middle">${
    plot.y.label
  }</text>`;
}

function seriesShape(series: Series, index: number, x: Place, y: Place): Markup {
  const color = `s${(index % 4) + 1}`;
  if (series.style === "dots") {
    return html`<g class="dot ${color}">${series.points.map(
      ([at, value]) =>
        html`<circle cx="${round(x(at))}" cy="${round(y(value))}" r="4.5"><title>${series.name}: ${figure(
          value,
        )} at ${figure(at)}</title></circle>`,
    )}</g>`;
  }
  const path = line<readonly [number, number]>(
    ([at]) => round(x(at)),
    ([, value]) => round(y(value)),
  );
  if (series.style === "steps") path.curve(curveStepAfter);
  const dashes = series.style === "dashes" ? " dashed" : "";
  return html`<path class="stroke ${color}${dashes}" d="${path([...series.points]) ?? ""}"><title>${
    series.name
  }</title></path>`;
}

function legend(series: readonly Series[]): Markup {
  return html`<ul class="legend">${series.map(({ name, style }, index) => {
    const color = `s${(index % 4) + 1}`;
    const mark =
      style === "dots"
        ? html`<g class="dot ${color}"><circle cx="13" cy="6" r="4.5"/></g>`
        : html`<path class="stroke ${color}${style === "dashes" ? " dashed" : ""}" d="M1 6H25"/>`;
    return html`<li><svg class="key" viewBox="0 0 26 12" aria-hidden="true">${mark}</svg>${name}</li>`;
  })}</ul>`;
}

const ROW = 40;
const LABEL_ROOM = 66;

function barPicture(plot: BarPlot): Markup {
  const values = plot.bars.map((bar) => bar.value);
  const positive = values.filter((value) => value > 0);
  const most = Math.max(...values, 1e-9);
  const least = Math.min(...positive, most);
  const right = WIDTH - LABEL_ROOM;
  const floor = 10 ** Math.floor(Math.log10(least) - 0.3);
  const isLog = plot.x.scale === "log";
  const scale = isLog ? scaleLog([floor, most], [0, right]) : scaleLinear([0, most], [0, right]);
  const height = plot.bars.length * ROW + 24;
  const ticks = isLog ? decadesBetween(floor, most) : scale.ticks(4);
  const lines = ticks.map((tick) => {
    const at = round(scale(tick));
    return html`<line class="grid" x1="${at}" x2="${at}" y1="0" y2="${height - 20}"/><text x="${at}" y="${
      height - 6
    }" text-anchor="${at < 12 ? "start" : "middle"}">${figure(tick)}</text>`;
  });
  const bars = plot.bars.map((bar, index) => {
    const top = index * ROW;
    const length = bar.value <= 0 ? 0 : Math.max(2, round(scale(bar.value)));
    return html`<text class="name" x="2" y="${top + 14}">${bar.name}</text><rect class="bar ${roleClass(
      bar.role,
    )}" x="0" y="${top + 19}" width="${length}" height="15" rx="2"/><text class="value" x="${
      length + 6
    }" y="${top + 31}">${bar.label}</text>`;
  });
  return html`<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${plot.title}. ${plot.note}">${lines}${bars}<text class="axis" x="${WIDTH}" y="${
    height - 6
  }" text-anchor="end">${plot.x.label}</text></svg>`;
}

function decadesBetween(low: number, high: number): number[] {
  const ticks: number[] = [];
  for (let tick = low; tick <= high * 1.0001; tick *= 10) ticks.push(tick);
  return ticks;
}

/** The class of an arm's part in the experiment. */
export function roleClass(role: string): string {
  return `role-${role.replaceAll(" ", "-")}`;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

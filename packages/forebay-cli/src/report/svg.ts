// Pictures: plots from data to SVG, without a script. Colours come from the page's style sheet, so
// that they follow its light or dark scheme; lines differ by dashes as well, for those who cannot
// tell the colours.

import { scaleLinear, scaleLog } from "d3-scale";
import { curveStepAfter, line } from "d3-shape";
import type { Axis, BarPlot, LinePlot, Plot, Series } from "../lab/scenario.ts";
import { figure } from "../lab/words.ts";
import { html, type Markup, type Part } from "./escape.ts";

const WIDTH = 440;
const HEIGHT = 270;
/** How many colours the style sheet has for lines. */
const COLORS = 6;
const MARGIN = { top: 12, right: 14, bottom: 40, left: 62 } as const;

/** A plot with its title, its legend and its sentence. */
export function renderPlot(plot: Plot): Markup {
  const picture = plot.kind === "lines" ? linePicture(plot) : barPicture(plot);
  return html`<figure><h4>${plot.title}</h4>${picture}${
    plot.kind === "lines" ? legend(plot.series) : undefined
  }<figcaption>${plot.note}</figcaption></figure>`;
}

/** Short, since there is little room: `12k`, `3M`. */
function tickText(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e6) return `${figure(value / 1e6)}M`;
  return size >= 1e4 ? `${figure(value / 1000)}k` : figure(value);
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
  return frame(plot, HEIGHT, [gridY(y), gridX(x, plot.x), axisLabels(plot), shapes]);
}

function frame(plot: Plot, height: number, content: Part): Markup {
  const said = `${plot.title}. ${plot.note}`;
  return html`<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${said}">
${content}
</svg>`;
}

/** A line of the grid, from one corner of a box to the other. */
function gridLine(from: readonly [number, number], to: readonly [number, number]): Markup {
  return html`<line class="grid" x1="${from[0]}" y1="${from[1]}" x2="${to[0]}" y2="${to[1]}"/>`;
}

type Anchor = "start" | "middle" | "end";

function label(at: readonly [number, number], anchor: Anchor, text: string, kind = "tick"): Markup {
  const [x, y] = at;
  return html`<text class="${kind}" x="${x}" y="${y}" text-anchor="${anchor}">${text}</text>`;
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
    const y = round(axis.place(tick));
    return html`${gridLine([MARGIN.left, y], [WIDTH - MARGIN.right, y])}
${label([MARGIN.left - 6, y + 4], "end", tickText(tick))}`;
  });
}

function gridX(axis: PlacedAxis, about: Axis): Markup[] {
  const bottom = HEIGHT - MARGIN.bottom;
  return axis.ticks.map((tick) => {
    const x = round(axis.place(tick));
    const text = about.scale === "percentile" ? String(tick) : tickText(tick);
    return html`${gridLine([x, MARGIN.top], [x, bottom])}
${label([x, bottom + 16], "middle", text)}`;
  });
}

function axisLabels(plot: LinePlot): Markup {
  const middle = (MARGIN.left + WIDTH - MARGIN.right) / 2;
  return html`${label([middle, HEIGHT - 6], "middle", plot.x.label, "axis")}
<g transform="translate(14 ${HEIGHT / 2 - 14}) rotate(-90)">
${label([0, 0], "middle", plot.y.label, "axis")}
</g>`;
}

function seriesShape(series: Series, index: number, x: Place, y: Place): Markup {
  const color = `s${(index % COLORS) + 1}`;
  if (series.style === "dots") {
    const dots = series.points.map(([at, value]) => {
      const said = `${series.name}: ${figure(value)} at ${figure(at)}`;
      const [cx, cy] = [round(x(at)), round(y(value))];
      return html`<circle cx="${cx}" cy="${cy}" r="4.5"><title>${said}</title></circle>`;
    });
    return html`<g class="dot ${color}">${dots}</g>`;
  }
  const path = line<readonly [number, number]>(
    ([at]) => round(x(at)),
    ([, value]) => round(y(value)),
  );
  if (series.style === "steps") path.curve(curveStepAfter);
  const dashes = series.style === "dashes" ? " dashed" : "";
  const drawn = path([...series.points]) ?? "";
  return html`<path class="stroke ${color}${dashes}" d="${drawn}">
<title>${series.name}</title></path>`;
}

function legend(series: readonly Series[]): Markup {
  return html`<ul class="legend">${series.map(({ name, style }, index) => {
    const color = `s${(index % COLORS) + 1}`;
    const mark =
      style === "dots"
        ? html`<g class="dot ${color}"><circle cx="13" cy="6" r="4.5"/></g>`
        : html`<path class="stroke ${color}${style === "dashes" ? " dashed" : ""}" d="M1 6H25"/>`;
    return html`<li>
<svg class="key" viewBox="0 0 26 12" aria-hidden="true">${mark}</svg>${name}</li>`;
  })}</ul>`;
}

const ROW = 40;
const LABEL_ROOM_MIN = 84;
const LABEL_ROOM_MAX = 250;
/** About as wide as a letter is on a phone, where the letters are largest. */
const LETTER = 9.8;
/** Names are not bold. */
const NAME_LETTERS = Math.floor(WIDTH / 8.6);

function barPicture(plot: BarPlot): Markup {
  const values = plot.bars.map((bar) => bar.value);
  const positive = values.filter((value) => value > 0);
  const most = Math.max(...values, 1e-9);
  const least = Math.min(...positive, most);
  const letters = Math.max(...plot.bars.map((bar) => bar.label.length));
  const room = Math.min(LABEL_ROOM_MAX, Math.max(LABEL_ROOM_MIN, letters * LETTER + 12));
  const right = WIDTH - room;
  const floor = 10 ** Math.floor(Math.log10(least) - 0.3);
  const isLog = plot.x.scale === "log";
  const scale = isLog ? scaleLog([floor, most], [0, right]) : scaleLinear([0, most], [0, right]);
  const height = plot.bars.length * ROW + 40;
  const ticks = isLog ? decadesBetween(floor, most) : scale.ticks(4);
  const lines = ticks.map((tick) => {
    const x = round(scale(tick));
    return html`${gridLine([x, 0], [x, height - 36])}
${label([x, height - 22], x < 12 ? "start" : "middle", tickText(tick))}`;
  });
  const bars = plot.bars.map((bar, index) => {
    const top = index * ROW;
    const length = bar.value <= 0 ? 0 : Math.max(2, round(scale(bar.value)));
    const kind = `bar ${roleClass(bar.role)}`;
    return html`${label([2, top + 14], "start", shortened(bar.name), "name")}
<rect class="${kind}" x="0" y="${top + 19}" width="${length}" height="15" rx="2"/>
${label([length + 6, top + 31], "start", bar.label, "value")}`;
  });
  const unit = label([right / 2, height - 4], "middle", plot.x.label, "axis");
  return frame(plot, height, [lines, bars, unit]);
}

function shortened(name: string): string {
  return name.length <= NAME_LETTERS ? name : `${name.slice(0, NAME_LETTERS - 1)}…`;
}

/** More would run into each other. */
const DECADES_MAX = 4;

function decadesBetween(low: number, high: number): number[] {
  const ticks: number[] = [];
  for (let tick = low; tick <= high * 1.0001; tick *= 10) ticks.push(tick);
  const every = Math.ceil(ticks.length / DECADES_MAX);
  return ticks.filter((_, at) => at % every === 0);
}

/** The class of an arm's part in the experiment. */
function roleClass(role: string): string {
  return `role-${role.replaceAll(" ", "-")}`;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

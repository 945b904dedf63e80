// Figures in sentences. Everything that a report says in words gets its numbers from here.

import type { Estimate } from "./compare.ts";

/** A number with three figures, and never an exponent: `0.0123`, `1.23`, `123`, `12,300`. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "unknown" : "unlimited";
  const size = Math.abs(value);
  if (size >= 1000) return Math.round(value).toLocaleString("en-US");
  if (size >= 100 || Number.isInteger(value)) return String(Math.round(value));
  if (size >= 10) return trim(value.toFixed(1));
  if (size >= 1) return trim(value.toFixed(2));
  if (size >= 0.1) return trim(value.toFixed(3));
  return size < 1e-6 ? "0" : trim(value.toFixed(Math.min(6, 2 - Math.floor(Math.log10(size)))));
}

function trim(text: string): string {
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

/** A duration in the unit that suits it. */
export function duration(ms: number): string {
  if (ms >= 60_000) return `${figure(ms / 60_000)} min`;
  if (ms >= 1000) return `${figure(ms / 1000)} s`;
  if (ms >= 0.1 || ms === 0) return `${figure(ms)} ms`;
  return `${figure(ms * 1000)} µs`;
}

/** A share of 1 in per cent. */
export function percent(ratio: number): string {
  return `${figure(ratio * 100)} %`;
}

/** A ratio as a factor: how many times. */
export function times(ratio: number): string {
  return `${figure(ratio)} times`;
}

/** An estimate with its interval: `0.31 (0.29 to 0.34)`. */
export function withInterval(estimate: Estimate): string {
  if (estimate.low === estimate.high) return figure(estimate.value);
  return `${figure(estimate.value)} (${figure(estimate.low)} to ${figure(estimate.high)})`;
}

/** A count with its noun, in the plural unless it is one. */
export function counted(count: number, noun: string, plural = `${noun}s`): string {
  return `${figure(count)} ${count === 1 ? noun : plural}`;
}

/** Joins the names of things: `a`, `a and b`, `a, b and c`. */
export function listed(items: readonly string[]): string {
  if (items.length < 2) return items[0] ?? "none";
  return `${items.slice(0, -1).join(", ")} and ${items.at(-1) ?? ""}`;
}

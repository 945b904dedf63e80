// Names of settings and measures for people, and their values: the names end in their unit, which
// decides how a value is shown.

import { figure } from "../lab/words.ts";

const UNITS: readonly (readonly [suffix: string, unit: string])[] = [
  ["PerS", "/s"],
  ["Ms", "ms"],
  ["Us", "µs"],
  ["Bytes", "bytes"],
  ["Ratio", "%"],
];

/** `p999Ms` becomes `p99.9, ms`; `waitedRatio` becomes `waited, %`. */
export function measureName(key: string): string {
  const [suffix, unit] = UNITS.find(([end]) => key.endsWith(end)) ?? ["", ""];
  const stem = suffix === "" ? key : key.slice(0, -suffix.length);
  const words = stem
    .replace(/^p999$/, "p99.9")
    .replaceAll(
      /([a-z0-9])([A-Z])/g,
      (_, before: string, after: string) => `${before} ${after.toLowerCase()}`,
    )
    .replace(/^max$/, "longest")
    .replaceAll(/\bcpu\b/gi, "CPU");
  return unit === "" ? words : `${words}, ${unit}`;
}

/** The value in the unit that `measureName` gives. */
export function measureValue(key: string, value: number): string {
  return key.endsWith("Ratio") ? figure(value * 100) : figure(value);
}

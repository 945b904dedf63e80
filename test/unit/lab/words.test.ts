import { expect, test } from "vitest";
import {
  counted,
  duration,
  figure,
  percent,
  withInterval,
} from "../../../packages/forebay-cli/src/lab/words.ts";
import { measureName, measureValue } from "../../../packages/forebay-cli/src/report/names.ts";

test.each([
  [0, "0"],
  [0.000_000_1, "0"],
  [0.00123, "0.00123"],
  [0.1234, "0.123"],
  [1, "1"],
  [1.005, "1"],
  [12.34, "12.3"],
  [123.4, "123"],
  [12_345.6, "12,346"],
  [100, "100"],
  [-0.5, "-0.5"],
  [Number.NaN, "unknown"],
  [Infinity, "unlimited"],
])("%f is written as %s", (value, text) => {
  expect(figure(value)).toBe(text);
});

test("durations take the unit that suits them", () => {
  expect([0.05, 0.5, 12.3, 4321, 99_000].map(duration)).toEqual([
    "50 µs",
    "0.5 ms",
    "12.3 ms",
    "4.32 s",
    "1.65 min",
  ]);
});

test("shares, intervals and counts read as people say them", () => {
  expect(percent(0.0312)).toBe("3.12 %");
  expect(withInterval({ value: 0.31, low: 0.29, high: 0.34 })).toBe("0.31 (0.29 to 0.34)");
  expect(withInterval({ value: 3, low: 3, high: 3 })).toBe("3");
  expect(counted(1, "row")).toBe("1 row");
  expect(counted(1000, "row")).toBe("1,000 rows");
});

test("the name of a measure tells its unit, and its value is in it", () => {
  expect(measureName("p999Ms")).toBe("p99.9, ms");
  expect(measureName("clientCpuPerRowUs")).toBe("client CPU per row, µs");
  expect(measureName("waitedRatio")).toBe("waited, %");
  expect(measureName("maxIdleClosed")).toBe("max idle closed");
  expect(measureValue("waitedRatio", 0.0123)).toBe("1.23");
  expect(measureValue("p99Ms", 0.0123)).toBe("0.0123");
});

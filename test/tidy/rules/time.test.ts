import { expect, test } from "vitest";
import { foundIn } from "./examples.ts";
import { time } from "./time.ts";

const FILE = "packages/forebay/src/sql/a.ts";

test.each([
  ["Date.now()", "Date.now"],
  ["performance.now()", "performance.now"],
  ["new Date()", "new Date()"],
  ["Date()", "Date()"],
  ["setTimeout(a, 1)", "setTimeout"],
  ["globalThis.setInterval(a, 1)", "globalThis.setInterval"],
  ["socket.setTimeout(1)", "socket.setTimeout"],
  ["a(setImmediate)", "setImmediate"],
  ["process.hrtime.bigint()", "process.hrtime"],
  ["AbortSignal.timeout(1)", "AbortSignal.timeout"],
  ["Math.random()", "Math.random"],
  ['import { b } from "node:timers/promises"', "import of node:timers/promises"],
])("%s is found", (text, what) => {
  expect(foundIn(time, FILE, `${text};`)).toEqual([`1 ${what}`]);
});

test.each([
  "new Date(value)",
  "clock.setTimer(1, a)",
  "Math.max(1, 2)",
  "clearTimeout(handle)",
  "const a = { setTimeout: 1 }",
  "// setTimeout(a, 1)",
  'const a = "Date.now()"',
])("%s is well", (text) => {
  expect(foundIn(time, FILE, `${text};`)).toEqual([]);
});

test("each has one file in the library, and not the other's", () => {
  const both = "Math.random();\nsetTimeout(a, 1);";
  expect(foundIn(time, "packages/forebay/src/base/clock.ts", both)).toEqual(["1 Math.random"]);
  expect(foundIn(time, "packages/forebay/src/base/random.ts", both)).toEqual(["2 setTimeout"]);
});

test("the command has a list of its own", () => {
  expect(foundIn(time, "packages/forebay-cli/src/lab/clock.ts", "setTimeout(a, 1);")).toEqual([]);
  expect(foundIn(time, "packages/forebay-cli/src/lab/load.ts", "setTimeout(a, 1);")).toEqual([
    "1 setTimeout",
  ]);
});

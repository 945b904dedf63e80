import { expect, test } from "vitest";
import { leftToDo } from "./comments.ts";
import { foundIn } from "./examples.ts";

const FILE = "bench/src/a.ts";

test.each([
  ["// TODO: later", "1 TODO without a number"],
  ["/*\n * FIXME (soon)\n */", "2 FIXME without a number"],
  ["a(); // XXX", "1 XXX without a number"],
])("%s is found", (text, what) => {
  expect(foundIn(leftToDo, FILE, text)).toEqual([what]);
});

test.each([
  "// TODO(#12): later",
  "// TODO #12",
  'const a = "// TODO";',
  "const TODO = `\n// TODO`;",
])("%s is well", (text) => {
  expect(foundIn(leftToDo, FILE, text)).toEqual([]);
});

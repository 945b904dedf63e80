import { expect, test } from "vitest";
import {
  coresOf,
  coresOfMachine,
  onTheirProcessors,
  parseProcessors,
  pinning,
} from "../../../packages/forebay-cli/src/server/affinity.ts";

test.each([
  ["0", [0]],
  ["0-3", [0, 1, 2, 3]],
  ["0-1,5,8-9", [0, 1, 5, 8, 9]],
])("the list %s of Linux", (list, processors) => {
  expect(parseProcessors(list)).toEqual(processors);
});

test("as long as nothing is pinned, programs start as they are", () => {
  expect(pinning()).toBeUndefined();
  expect(onTheirProcessors("node", ["a.mjs", "b"])).toEqual(["node", ["a.mjs", "b"]]);
});

test("a process has the processors that the machine gives, also where nothing is known", () => {
  expect(coresOf(process.pid)).toBe(coresOfMachine());
  expect(coresOf(2 ** 30)).toBe(coresOfMachine());
});

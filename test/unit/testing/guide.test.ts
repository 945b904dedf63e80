// The guide for authors of drivers: its code is that of docs/examples, which works.

import { readFileSync } from "node:fs";
import { expect, test, vi } from "vitest";
import { check } from "../../../docs/examples/check-memory-driver.ts";
import { twoRows } from "../../../docs/examples/use-memory-driver.ts";
import { VirtualClock } from "../../../packages/forebay/src/testing/index.ts";
import { inVirtualTime } from "./run-cases.ts";

function read(path: string): string {
  return readFileSync(new URL(`../../../docs/${path}`, import.meta.url), "utf8");
}

test("the page shows the examples whole, word for word", () => {
  const blocks = read("guides/writing-a-driver.md").matchAll(/^```ts\n([\s\S]*?)^```$/gm);
  const shown = Array.from(blocks, ([, code = ""]) => code);
  const files = ["memory-driver", "use-memory-driver", "check-memory-driver", "driver-cases"];
  // Between two parts of one file there is an empty line.
  const whole = files.map((file) => read(`examples/${file}.ts`)).join("\n");
  expect(shown.join("\n")).toBe(whole);
});

test("the page names every optional part of the dialect", () => {
  const page = read("guides/writing-a-driver.md");
  const optional = read("../packages/forebay/src/testing/conformance/dialect.ts").matchAll(
    /^ {2}(?:readonly )?(\w+)\?[:(]/gm,
  );
  const names = Array.from(optional, ([, name = ""]) => name);
  expect(names.length).toBeGreaterThan(5);
  expect(names.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
});

test("the example driver works under a DB", async () => {
  expect(await twoRows()).toBe(2);
});

test("the example driver keeps the contract", async () => {
  const lines: string[] = [];
  vi.spyOn(console, "log").mockImplementation((...words: unknown[]) => {
    lines.push(words.join(" "));
  });
  const clock = new VirtualClock();
  await inVirtualTime(clock, check({ clock, callTimeoutMs: 200, abortRounds: 12 }));
  expect(lines.length).toBeGreaterThan(80);
  expect(lines.filter((line) => !/^(passed|skipped) /.test(line))).toEqual([]);
  expect(lines.filter((line) => line.startsWith("skipped")).length).toBeLessThan(20);
});

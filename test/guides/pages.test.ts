// The guides and the code say the same: no option, hook or number is missing from the pages, and
// the defaults on them are those that hold.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { HOOK_NAMES } from "../../packages/forebay/src/pool/hooks.ts";
import { resolveBulkhead, resolveOptions } from "../../packages/forebay/src/pool/option-checks.ts";
import type { PoolPreset } from "../../packages/forebay/src/pool/options.ts";
import { Pool } from "../../packages/forebay/src/pool/pool.ts";
import { FakeConnector, VirtualClock } from "../../packages/forebay/src/testing/index.ts";
import { REPO } from "../support/packed-project.ts";

const poolPage = read("docs/guides/pool.md");
const goPage = read("docs/guides/from-go.md");

test("the page of the pool names every option, hook and limit of a bulkhead", () => {
  const { limits, settings } = resolveOptions({}, "");
  const bulkhead = resolveBulkhead({}, undefined, 0, 1);
  const names = [limits, settings, bulkhead].flatMap((each) => Object.keys(each));
  expect(missing(poolPage, [...names, ...HOOK_NAMES, "preset", "maxStmtsPerConn"])).toEqual([]);
});

test("the page for those who come from Go names every limit and every statistic", () => {
  const { limits } = resolveOptions({}, "");
  const { pool, ...dbStats } = new Pool(new FakeConnector(new VirtualClock())).stats();
  const { name: _name, isSuspended: _isSuspended, ...details } = pool;
  const names = [limits, dbStats, details].flatMap((each) => Object.keys(each));
  expect(missing(goPage.replaceAll("`pool.", "`"), names)).toEqual([]);
});

test("the defaults of both presets are those on the page for those who come from Go", () => {
  const shown = Array.from(
    goPage.matchAll(/^\| `(\w+)` +\| ([^|]+?) +\| ([^|]+?) +\|$/gm),
    ([, name = "", byDefault = "", go = ""]) => [name, { default: byDefault, go }] as const,
  );
  const expected = Object.keys(resolveOptions({}, "").limits).map(
    (name) => [name, { default: inWords(name, "default"), go: inWords(name, "go") }] as const,
  );
  expect(Object.fromEntries(shown)).toMatchObject(Object.fromEntries(expected));
});

test("the defaults on the page of the pool are those that hold", () => {
  const shown = new Map(
    Array.from(poolPage.matchAll(/^\| `(\w+)` +\| ([^|]+?) +\|/gm), ([, name, value]) => [
      name,
      value,
    ]),
  );
  const { limits, settings } = resolveOptions({}, "");
  const durations = Object.keys(settings).filter((name) => name.endsWith("TimeoutMs"));
  for (const name of [...Object.keys(limits), ...durations]) {
    expect([name, shown.get(name)]).toEqual([name, inWords(name, "default")]);
  }
});

function read(file: string): string {
  return readFileSync(join(REPO, file), "utf8");
}

function missing(page: string, names: readonly string[]): string[] {
  return names.filter((name) => !page.includes(`\`${name}\``) && !page.includes(`.${name}\``));
}

/** An option's default as the pages write it. */
function inWords(name: string, preset: PoolPreset): string {
  const { limits, settings } = resolveOptions({ preset }, "");
  const value = new Map(Object.entries({ ...limits, ...settings })).get(name);
  if (name === "maxIdleConns" && value === Infinity) return "as many as may be open";
  if (value === Infinity) return "`Infinity`";
  if (typeof value === "string") return `\`"${value}"\``;
  if (typeof value !== "number" || !name.endsWith("Ms")) return JSON.stringify(value);
  const seconds = value / 1000;
  return seconds < 60 ? `${seconds} seconds` : `${seconds / 60} minutes`;
}

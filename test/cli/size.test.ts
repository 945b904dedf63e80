// `forebay size` and `forebay simulate` as users run them.

import * as fs from "node:fs";
import * as path from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { forebay, removeTemporaryDirectories, startForebay } from "./cli-harness.ts";

afterEach(removeTemporaryDirectories);

const LOAD = ["--qps", "2000", "--p50-ms", "2", "--p99-ms", "30"];
const ERROR_LINE = /^forebay: .+ \[[A-Z_]+\]\. .+\.\n$/;

/** Only results are held to the width of a terminal: progress knows its own. */
function widest(text: string): number {
  return Math.max(...text.split("\n").map((line) => line.length));
}

describe("size", () => {
  test("--help shows every option, with examples", async () => {
    const { status, stdout } = await forebay(["size", "--help"]);
    expect(status).toBe(0);
    const options = ["--qps", "--p50-ms", "--p99-ms", "--mean-ms", "--target-wait", "--reserved"];
    for (const word of [...options, "--max-connections", "--instances", "--surge", "--cores"]) {
      expect(stdout).toContain(word);
    }
    expect(stdout).toContain("Examples:");
    expect(widest(stdout)).toBeLessThanOrEqual(80);
  });

  test("says how many, what decides, what the real pool does, and what to set", async () => {
    const args = ["--max-connections", "15", "--cores", "8"];
    const { status, stdout } = await forebay(["size", ...LOAD, ...args]);
    expect(status).toBe(0);
    expect(stdout).toContain("12 connections: 13 % of the requests wait for one");
    expect(stdout).toContain("(15 − 3 reserved) / 1 instance  ← decides");
    expect(stdout).toContain("2 × cores + 1");
    expect(stdout).toMatch(/requests that wait +13 % +1\d % .+ ✓/);
    expect(stdout).toContain("maxOpenConns: 12,");
    expect(widest(stdout)).toBeLessThanOrEqual(80);
  });

  test("--json is the answer on standard output, and nothing else", async () => {
    const { status, stdout } = await forebay(["size", ...LOAD, "--json"]);
    expect(status).toBe(0);
    const found = JSON.parse(stdout) as {
      answer: { connections: number; settings: { maxOpenConns: number } };
      comparisons: { agrees: boolean }[];
    };
    expect(found.answer).toMatchObject({ connections: 16, settings: { maxOpenConns: 16 } });
    expect(found.comparisons.map((one) => one.agrees)).toEqual([true, true, true]);
  });

  test("--json <file> writes a file, and the text is shown all the same", async () => {
    const program = startForebay(["lab", "list"]);
    const file = path.join(program.temporary, "size.json");
    await program.ended;
    const { status, stdout } = await forebay(["size", ...LOAD, "--json", file]);
    expect(status).toBe(0);
    expect(stdout).toContain("16 connections");
    expect(JSON.parse(fs.readFileSync(file, "utf8"))).toHaveProperty("answer.need", 16);
  });
});

describe("what cannot be sized ends with status 2 and one line that says what to do", () => {
  const cases = [
    { args: [], code: "USAGE", says: "--qps is missing" },
    {
      args: ["--qps", "-5", "--p50-ms", "2", "--p99-ms", "30"],
      code: "NUMBER_INVALID",
      says: "-5",
    },
    {
      args: ["--qps", "9", "--p50-ms", "3", "--p99-ms", "2"],
      code: "LOAD_IMPOSSIBLE",
      says: "p99",
    },
    { args: [...LOAD, "--mean-ms", "50"], code: "LOAD_IMPOSSIBLE", says: "above the p99" },
    { args: [...LOAD, "--max-connections", "8"], code: "LOAD_UNSTABLE", says: "PgBouncer" },
    { args: [...LOAD, "--core", "8"], code: "USAGE", says: "Did you mean --cores?" },
    { args: [...LOAD, "more"], code: "USAGE", says: "forebay size --help" },
    { args: [...LOAD, "--json", "/no/such/file"], code: "REPORT_NOT_WRITABLE", says: "ENOENT" },
  ];
  for (const { args, code, says } of cases) {
    test(`forebay size ${args.join(" ")}`, async () => {
      const { status, stdout, stderr } = await forebay(["size", ...args]);
      expect(status).toBe(2);
      expect(stdout).toBe("");
      expect(stderr).toMatch(ERROR_LINE);
      expect(stderr).toContain(`[${code}]`);
      expect(stderr).toContain(says);
    });
  }
});

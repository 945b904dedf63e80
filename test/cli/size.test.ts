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

describe("simulate", () => {
  test("--help shows its options, with examples", async () => {
    const { status, stdout } = await forebay(["simulate", "--help"]);
    expect(status).toBe(0);
    for (const word of ["--qps", "--pool", "--seconds", "--seed", "--html", "--json"]) {
      expect(stdout).toContain(word);
    }
    expect(stdout).toContain("Examples:");
    expect(widest(stdout)).toBeLessThanOrEqual(80);
  });

  test("shows the run, and writes it as a page", async () => {
    const { temporary, ended } = startForebay(["lab", "list"]);
    await ended;
    const file = path.join(temporary, "run.html");
    const args = ["--pool", "12", "--seconds", "4", "--html", file];
    const { status, stdout } = await forebay(["simulate", ...LOAD, ...args]);
    expect(status).toBe(0);
    expect(stdout).toContain("Connections in use, of 12");
    expect(stdout).toContain("Requests that wait, at most");
    expect(stdout).toMatch(/requests that wait +13 %/);
    expect(widest(stdout)).toBeLessThanOrEqual(80);
    const page = fs.readFileSync(file, "utf8");
    expect(page.match(/<svg viewBox/g)).toHaveLength(2);
    expect(page).not.toMatch(/NaN|undefined|<script/);
  });

  test("a pool below the load is shown as it is, and theory has no word on it", async () => {
    const args = ["--pool", "4", "--seconds", "4"];
    const { status, stdout } = await forebay(["simulate", ...LOAD, ...args]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/more\s+than\s+4\s+can\s+carry/);
    expect(stdout).toMatch(/%\s+were\s+turned\s+away/);
    expect(stdout).not.toContain("predicted");
  });

  test("--json repeats for the same seed", async () => {
    const args = ["simulate", ...LOAD, "--seconds", "1", "--seed", "7", "--json"];
    const [one, two] = [await forebay(args), await forebay(args)];
    expect(one.status).toBe(0);
    expect(JSON.parse(one.stdout)).toMatchObject({ simulation: { plan: { seed: 7 } } });
    expect(two.stdout).toBe(one.stdout);
  });

  const cases = [
    { args: ["--pool", "0"], code: "NUMBER_INVALID", says: "--pool" },
    { args: ["--seconds", "1e9"], code: "NUMBER_INVALID", says: "--seconds shorter" },
    { args: ["--seed", "-1"], code: "NUMBER_INVALID", says: "--seed" },
    { args: ["--html", "x", "--json", "x"], code: "USAGE", says: "the same file" },
    { args: ["--max-connections", "8"], code: "LOAD_UNSTABLE", says: "max_connections" },
  ];
  for (const { args, code, says } of cases) {
    test(`forebay simulate ${args.join(" ")} is refused`, async () => {
      const { status, stdout, stderr } = await forebay(["simulate", ...LOAD, ...args]);
      expect(status).toBe(2);
      expect(stdout).toBe("");
      expect(stderr).toMatch(ERROR_LINE);
      expect(stderr).toContain(`[${code}]`);
      expect(stderr).toContain(says);
    });
  }
});

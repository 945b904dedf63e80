// What the command makes of its arguments. Bad ones are found before anything is started.

import * as fs from "node:fs";
import { afterEach, describe, expect, test } from "vitest";
import { listScenarios } from "../../packages/forebay-cli/src/lab/index.ts";
import { forebay, leftBehind, removeTemporaryDirectories, startForebay } from "./cli-harness.ts";

afterEach(removeTemporaryDirectories);

const ERROR_LINE = /^forebay: .+ \[[A-Z_]+\]\. .+\.\n$/;

describe("help", () => {
  const cases = [
    { args: ["--help"], words: ["lab", "DATABASE_URL", "Examples:"] },
    { args: ["lab", "--help"], words: ["list", "explain", "run"] },
    { args: ["lab", "list", "--help"], words: ["Example:", "forebay lab list"] },
    {
      args: ["lab", "run", "--help"],
      words: ["--all", "--dsn", "--query", "--quick", "--json", "--html", "--junit", "Examples:"],
    },
    { args: ["lab", "explain", "--help"], words: ["Example:", "forebay lab explain 3"] },
    { args: [], words: ["Usage: forebay"] },
    { args: ["lab"], words: ["Usage: forebay lab"] },
  ];
  for (const { args, words } of cases) {
    const command = ["forebay", ...args].join(" ");
    test(`of \`${command}\` goes to standard output, with status 0`, async () => {
      const { status, stdout, stderr } = await forebay(args);
      expect(status).toBe(0);
      expect(stderr).toBe("");
      for (const word of words) expect(stdout).toContain(word);
      expect(Math.max(...stdout.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
    });
  }
});

test("the guide of the lab and the package's page name every option and status", async () => {
  const { stdout } = await forebay(["lab", "run", "--help"]);
  const options = (stdout.match(/^ {2}--[a-z]+/gm) ?? []).map((option) => option.trim());
  expect(options.length).toBeGreaterThan(6);
  const read = (name: string): string =>
    fs.readFileSync(new URL(`../../${name}`, import.meta.url), "utf8");
  const guide = read("docs/guides/lab.md");
  const readme = read("packages/forebay-cli/README.md");
  expect(options.filter((option) => !guide.includes(option))).toEqual([]);
  expect(options.filter((option) => !readme.includes(`\`${option}`))).toEqual([]);
  for (const page of [guide, readme]) expect(page).toContain("129, 130, 143");
});

test("--version prints the package's version", async () => {
  const file = new URL("../../packages/forebay-cli/package.json", import.meta.url);
  const { version } = JSON.parse(fs.readFileSync(file, "utf8")) as { version: string };
  expect(await forebay(["--version"])).toMatchObject({ status: 0, stdout: `${version}\n` });
});

test("lab list has a line for every scenario, with its number, title, time and needs", async () => {
  const { status, stdout } = await forebay(["lab", "list"]);
  expect(status).toBe(0);
  const lines = stdout.trimEnd().split("\n");
  const scenarios = listScenarios();
  expect(lines).toHaveLength(scenarios.length);
  for (const [index, { id, title, needs, takesQuery }] of scenarios.entries()) {
    expect(lines[index]).toMatch(new RegExp(`^ *${id}  `));
    expect(lines[index]).toContain(title);
    expect(lines[index]).toContain(" min  ");
    expect(lines[index]?.includes("  --query  ")).toBe(takesQuery);
    expect(lines[index]?.endsWith(needs)).toBe(true);
  }
});

test("lab explain prints why, the formula, what to set and when not, for a terminal", async () => {
  const { status, stdout, stderr } = await forebay(["lab", "explain", "1"]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  for (const word of ["Little", "The formula", "maxOpenConns: 16", "HikariCP", "When not to"]) {
    expect(stdout).toContain(word);
  }
  expect(Math.max(...stdout.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
});

describe("bad input ends with status 2, one line and nothing started", () => {
  const cases = [
    { args: ["lab", "run", "--quik"], code: "USAGE", says: "Did you mean --quick?" },
    { args: ["lab", "run", "--dsn"], code: "USAGE", says: "forebay lab run --help" },
    { args: ["frobnicate"], code: "USAGE", says: "unknown command 'frobnicate'" },
    { args: ["lab", "frobnicate"], code: "USAGE", says: "forebay lab --help" },
    { args: ["lab", "list", "more"], code: "USAGE", says: "forebay lab list --help" },
    { args: ["lab", "run", "9999"], code: "SCENARIO_UNKNOWN", says: "no scenario 9999" },
    { args: ["lab", "run", "1", "two"], code: "SCENARIO_UNKNOWN", says: "no scenario two" },
    {
      args: ["lab", "run", "--json", "/no/such/file"],
      code: "REPORT_NOT_WRITABLE",
      says: "ENOENT",
    },
    { args: ["lab", "run", "--html", "/dev"], code: "REPORT_NOT_WRITABLE", says: "EISDIR" },
    { args: ["lab", "run", "--json", "x", "--html", "x"], code: "USAGE", says: "the same file" },
    { args: ["lab", "run", "--html", "x", "--junit", "x"], code: "USAGE", says: "the same file" },
    {
      args: ["lab", "run", "--junit", "/no/such/file"],
      code: "REPORT_NOT_WRITABLE",
      says: "ENOENT",
    },
    { args: ["lab", "run", "--all", "2"], code: "USAGE", says: "do not go together" },
    { args: ["lab", "explain", "99"], code: "SCENARIO_UNKNOWN", says: "no scenario 99" },
    { args: ["lab", "explain", "two"], code: "SCENARIO_UNKNOWN", says: "no scenario two" },
    { args: ["lab", "explain"], code: "USAGE", says: "forebay lab explain --help" },
    {
      args: ["lab", "run", "--query", "DELETE FROM t"],
      code: "QUERY_REFUSED",
      says: "begin with SELECT",
    },
    {
      args: ["lab", "run", "9", "--query", "SELECT 1"],
      code: "USAGE",
      says: "scenario 9 cannot run a statement of yours",
    },
  ];
  for (const { args, code, says } of cases) {
    test(`forebay ${args.join(" ")}`, async () => {
      const program = startForebay(args);
      const { status, stdout, stderr } = await program.ended;
      expect(status).toBe(2);
      expect(stdout).toBe("");
      expect(stderr).toMatch(ERROR_LINE);
      expect(stderr).toContain(`[${code}]`);
      expect(stderr).toContain(says);
      expect(leftBehind(program)).toEqual([]);
    });
  }
});

test("FOREBAY_DEBUG=1 adds where an error came from", async () => {
  const { stderr } = await forebay(["lab", "run", "9999"], { env: { FOREBAY_DEBUG: "1" } });
  expect(stderr).toMatch(/^forebay: .*\n(.|\n)*at .*commands\/lab\.ts/);
});

test.runIf(fs.existsSync("/dev/full"))(
  "standard output on a full disk ends with status 2 and says so",
  async () => {
    const { status, stderr } = await forebay(["lab", "list"], { stdout: "/dev/full" });
    expect(status).toBe(2);
    expect(stderr).toMatch(ERROR_LINE);
    expect(stderr).toContain("ENOSPC");
  },
);

test("a reader that has seen enough is no error", async () => {
  const program = startForebay(["lab", "list"]);
  program.child.stdout?.destroy();
  expect(await program.ended).toMatchObject({ status: 0, stderr: "" });
});

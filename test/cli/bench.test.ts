// `forebay bench` as users run it. Says nothing about figures, but for what no machine can change.

import { afterEach, describe, expect, test } from "vitest";
import { forebay, leftBehind, removeTemporaryDirectories, startForebay } from "./cli-harness.ts";

afterEach(removeTemporaryDirectories);

const ERROR_LINE = /^forebay: .+ \[[A-Z_]+\]\. .+\.\n$/;

interface Arm {
  readonly client: string;
  readonly load: { readonly kind: string; readonly callers?: number };
  readonly ops: number;
  readonly meanMs: number;
  readonly waitsPerOp?: number;
  readonly waitMsPerOp?: number;
  readonly unfinished: number;
  readonly verdict?: { readonly bound: string };
}

test("--help shows every option, with examples", async () => {
  const { status, stdout } = await forebay(["bench", "--help"]);
  expect(status).toBe(0);
  const options = ["--dsn", "--query", "--concurrency", "--rate", "--duration", "--max-open"];
  for (const word of [...options, "--compare", "--json", "Examples:", "DATABASE_URL"]) {
    expect(stdout).toContain(word);
  }
  expect(Math.max(...stdout.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
});

test("a short run shows latency, costs, a verdict and a self-check", async () => {
  const args = ["--concurrency", "1,2", "--rate", "50%", "--duration", "0.3"];
  const program = startForebay(["bench", ...args]);
  const { status, stdout } = await program.ended;
  expect(status).toBe(0);
  expect(stdout).toMatch(/ops\/s +mean +p50 +p99 +p99\.9\n1 caller +\d.+\n2 callers +\d/);
  expect(stdout).toMatch(/waits\/op +wait\/op +loop +client CPU +server CPU +busy\n1 caller +0/);
  expect(stdout).toMatch(/a second +[\d,]+/);
  expect(stdout).toMatch(/(query|pool|loop|server)-bound: /);
  expect(stdout).toContain("|R − N/X| / R");
  expect(stdout).toContain("SELECT 1 measures the client");
  expect(leftBehind(program)).toEqual([]);
});

test("more callers than connections wait, and none do where there are enough", async () => {
  const query = ["--query", "SELECT pg_sleep(0.05)", "--max-open", "2"];
  const args = ["--concurrency", "2,8", "--rate", "none", "--duration", "0.6", "--json"];
  const { status, stdout, stderr } = await forebay(["bench", ...query, ...args]);
  expect(status).toBe(0);
  expect(stderr).toBe("");
  const { arms } = JSON.parse(stdout) as { arms: Arm[] };
  expect(arms.map((arm) => arm.load)).toEqual([
    { kind: "closed", callers: 2 },
    { kind: "closed", callers: 8 },
  ]);
  expect(arms[0]?.waitsPerOp).toBe(0);
  // All but those who came first.
  expect(arms[1]?.waitsPerOp).toBeGreaterThan(0.7);
  expect(arms[1]?.verdict?.bound).toBe("pool-bound");
});

test("an open load that is too much is cut off, and what had no answer counts", async () => {
  const query = ["--query", "SELECT pg_sleep(0.05)", "--max-open", "1"];
  const args = ["--concurrency", "1", "--rate", "400", "--duration", "0.3", "--json"];
  const { status, stdout } = await forebay(["bench", ...query, ...args]);
  expect(status).toBe(0);
  const { arms } = JSON.parse(stdout) as { arms: Arm[] };
  const open = arms.find((arm) => arm.load.kind === "open");
  expect(open?.unfinished).toBeGreaterThan(10);
  // Nobody waits longer than it takes.
  expect(open?.waitMsPerOp).toBeLessThanOrEqual(open?.meanMs ?? 0);
  expect(open?.verdict?.bound).toBe("pool-bound");
});

test("--compare measures the clients of the project beside ours", async () => {
  const args = ["--concurrency", "2", "--rate", "none", "--duration", "0.3", "--json"];
  const { status, stdout } = await forebay(["bench", "--compare", "pg,postgres", ...args]);
  expect(status).toBe(0);
  const { arms } = JSON.parse(stdout) as { arms: Arm[] };
  expect(arms.map((arm) => arm.client)).toEqual(["forebay", "pg", "postgres"]);
  for (const { ops } of arms) expect(ops).toBeGreaterThan(2);
});

test("Ctrl-C ends the bench, shows what was measured, and leaves nothing", async () => {
  const args = ["--concurrency", "1,2", "--rate", "none", "--duration", "60"];
  const program = startForebay(["bench", "--query", "SELECT pg_sleep(0.01)", ...args]);
  await program.says(/1 caller/);
  // Not at the moment at which the load begins: something must have been measured.
  await new Promise((resolve) => setTimeout(resolve, 500));
  program.child.kill("SIGINT");
  const { status, stdout, stderr } = await program.ended;
  expect(status).toBe(130);
  expect(stderr).toContain("forebay: stopping");
  expect(stdout).toContain("1 caller (partial)");
  expect(stdout).toContain("Stopped before the end");
  expect(stdout).not.toContain("2 callers");
  expect(leftBehind(program)).toEqual([]);
});

describe("what cannot be measured ends with status 2 and one line that says what to do", () => {
  const cases = [
    { args: ["--concurrency", "0"], code: "NUMBER_INVALID", says: "--concurrency" },
    { args: ["--compare", "oracle"], code: "USAGE", says: "oracle" },
    { args: ["--dsn", "mysql://x"], code: "URL_INVALID", says: "--dsn" },
    { args: ["--rates", "5"], code: "USAGE", says: "Did you mean --rate?" },
    { args: ["--json", "/no/such/file"], code: "REPORT_NOT_WRITABLE", says: "ENOENT" },
  ];
  for (const { args, code, says } of cases) {
    test(`forebay bench ${args.join(" ")}`, async () => {
      const program = startForebay(["bench", ...args]);
      const { status, stdout, stderr } = await program.ended;
      expect(status).toBe(2);
      expect(stdout).toBe("");
      expect(stderr).toMatch(ERROR_LINE);
      expect(stderr).toContain(`[${code}]`);
      expect(stderr).toContain(says);
      expect(leftBehind(program)).toEqual([]);
    });
  }

  test("a query that the server refuses is told in the server's words", async () => {
    const program = startForebay(["bench", "--query", "SELECT * FROM nowhere"]);
    const { status, stdout, stderr } = await program.ended;
    expect(status).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toContain('relation "nowhere" does not exist (42P01) [QUERY_FAILED]');
    expect(leftBehind(program)).toEqual([]);
  });
});

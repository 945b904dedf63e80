// How a run of the lab ends when a scenario cannot be run, is stopped, or is given a statement that
// the server does not take: with scenarios made for it, on a real server.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { RunFailed, runScenarios } from "../../packages/forebay-cli/src/lab/run.ts";
import {
  type Findings,
  type Scenario,
  ScenarioNotPossible,
} from "../../packages/forebay-cli/src/lab/scenario.ts";
import { labServerSettings } from "../../packages/forebay-cli/src/lab/index.ts";
import { checkQueryOnServer, QueryRefused } from "../../packages/forebay-cli/src/lab/query.ts";
import { renderJunit } from "../../packages/forebay-cli/src/report/junit.ts";
import { type EmbeddedServer, startEmbedded } from "../../packages/forebay-cli/src/server/index.ts";
import { openPostgres } from "../../packages/forebay/src/postgres/index.ts";

let server: EmbeddedServer;

beforeAll(async () => {
  server = await startEmbedded({ settings: labServerSettings });
});

afterAll(async () => {
  await server.stop();
});

const FINDINGS: Findings = {
  headline: "It was so.",
  experiment: "An experiment.",
  claim: { text: "A claim.", verdict: "holds", why: "So.", parts: [] },
  forebay: { verdict: "pass", why: "So.", checks: [] },
  predictions: [],
  arms: [],
  plots: [],
  whatToSet: { code: "", when: "", notWhen: "" },
  caveats: [],
};

function scenario(id: number, run: Scenario["run"]): Scenario {
  return { id, title: `Number ${id}`, needs: "", expectedMs: 1000, expectedQuickMs: 500, run };
}

function run(scenarios: readonly Scenario[], signal = new AbortController().signal) {
  const ended: number[] = [];
  const report = runScenarios({
    scenarios,
    quick: true,
    server,
    signal,
    onProgress: () => undefined,
    onScenario: ({ id }) => ended.push(id),
  });
  return report.then((given) => ({ report: given, ended }));
}

test("a scenario that lacks something is skipped with the reason; others go on", async () => {
  const { report, ended } = await run([
    scenario(1, () => Promise.reject(new ScenarioNotPossible("It needs HAProxy.", "haproxy"))),
    scenario(2, () => Promise.reject(new ScenarioNotPossible("It needs more connections."))),
    scenario(3, () => Promise.resolve(FINDINGS)),
  ]);
  const [first, second, third] = report.scenarios;
  expect(first).toMatchObject({
    skipped: "It needs HAProxy.",
    missing: "haproxy",
    partial: false,
    claim: { verdict: "skipped" },
    forebay: { verdict: "skipped" },
  });
  expect(second).toMatchObject({ skipped: "It needs more connections.", partial: false });
  expect(second).not.toHaveProperty("missing");
  expect(third).not.toHaveProperty("skipped");
  expect(report.partial).toBe(false);
  expect(report.summary).toEqual({
    claims: { holds: 1, refuted: 0, inconclusive: 0 },
    forebay: { pass: 1, fail: 0, inconclusive: 0 },
    skipped: 2,
    unfinished: 0,
    notBegun: 0,
  });
  expect(ended).toEqual([1, 2, 3]);
});

describe("a run that is stopped", () => {
  test("closes what the scenario deferred, and is reported as partial, to JUnit too", async () => {
    const abort = new AbortController();
    let child: ChildProcess | undefined;
    const closed: string[] = [];
    const { report } = await run(
      [
        scenario(1, async (context) => {
          child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
          await once(child, "spawn");
          const running = child;
          context.defer(async () => {
            running.kill("SIGKILL");
            await once(running, "exit");
            closed.push("program");
          });
          context.defer(() => {
            closed.push("proxy");
            return Promise.reject(new Error("it was closed already"));
          });
          abort.abort(new Error("stopped by the test"));
          await context.pools.watcher.query("SELECT pg_sleep(60)", [], { signal: context.signal });
          return FINDINGS;
        }),
        scenario(2, () => Promise.resolve(FINDINGS)),
      ],
      abort.signal,
    );
    expect(closed).toEqual(["proxy", "program"]);
    expect(child?.signalCode).toBe("SIGKILL");
    expect(report).toMatchObject({ partial: true, summary: { unfinished: 1, notBegun: 1 } });
    expect(report.scenarios.map(({ id, partial }) => [id, partial])).toEqual([[1, true]]);
    expect(report.scenarios[0]).not.toHaveProperty("skipped");
    expect(renderJunit(report)).toContain('<skipped message="The run was stopped before its end.');
  });

  test("is not taken for one in which something was missing", async () => {
    const abort = new AbortController();
    const { report } = await run(
      [
        scenario(1, () => {
          abort.abort(new Error("stopped by the test"));
          return Promise.reject(new ScenarioNotPossible("The proxy does not start."));
        }),
      ],
      abort.signal,
    );
    expect(report.summary).toMatchObject({ skipped: 0, unfinished: 1 });
  });
});

describe("a scenario that fails ends the run", () => {
  const fails = () => Promise.reject(new Error("a defect"));

  test("with the report of those that had ended, and with why", async () => {
    const good = scenario(1, () => Promise.resolve(FINDINGS));
    const running = run([good, scenario(2, fails), scenario(3, fails)]);
    const failure = await running.catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(RunFailed);
    const { report, cause } = failure as RunFailed;
    expect(cause).toMatchObject({ message: "a defect" });
    expect(report).toMatchObject({ partial: true, summary: { notBegun: 2 } });
    expect(report.scenarios.map(({ id, partial }) => [id, partial])).toEqual([[1, false]]);
  });

  test("with the failure itself where none had ended", async () => {
    await expect(run([scenario(1, fails)])).rejects.toThrow("a defect");
  });
});

describe("the server refuses a statement, which is told with its reason, when it", () => {
  const cases = [
    ["writes", "WITH gone AS (DELETE FROM lab_query_test RETURNING a) SELECT * FROM gone", "25006"],
    ["locks rows", "SELECT a FROM lab_query_test FOR UPDATE", "25006"],
    ["makes a table", "SELECT a INTO lab_query_copy FROM lab_query_test", "SELECT INTO|42P|25006"],
    ["has a mistake", "SELECT FROM WHERE", "42601"],
    ["reads what is not there", "SELECT * FROM no_such_table", "42P01"],
    ["gives too many rows", "SELECT * FROM generate_series(1, 5000)", "more than 1000 rows"],
    ["takes too long", "SELECT pg_sleep(60)", "longer than 5 s"],
  ] as const;
  test.each(cases)("%s", async (_, query, why) => {
    const db = openPostgres(server.url, { maxOpenConns: 1 });
    try {
      await db.exec("CREATE TABLE IF NOT EXISTS lab_query_test (a int)");
      const checked = checkQueryOnServer(db, query);
      await expect(checked).rejects.toThrow(QueryRefused);
      await expect(checked).rejects.toThrow(new RegExp(why));
      expect(await db.queryRow("SELECT count(*)::int AS n FROM lab_query_test")).toEqual({ n: 0 });
    } finally {
      await db.close();
    }
  });

  test("and takes one that only reads", async () => {
    const db = openPostgres(server.url, { maxOpenConns: 1 });
    try {
      await checkQueryOnServer(db, "SELECT n FROM generate_series(1, 1000) n -- all of them");
    } finally {
      await db.close();
    }
  });
});

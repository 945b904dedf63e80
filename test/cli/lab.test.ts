// The lab on a real server: what a run gives, and that nothing of it stays, however it ends. Says
// nothing about figures: those are the lab's own to judge.

import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type LabReport,
  labServerSettings,
  listScenarios,
  runLab,
} from "../../packages/forebay-cli/src/lab/index.ts";
import { renderHtml } from "../../packages/forebay-cli/src/report/html.ts";
import { type EmbeddedServer, startEmbedded } from "../../packages/forebay-cli/src/server/index.ts";
import { openDB } from "../../packages/forebay/src/index.ts";
import { postgres } from "../../packages/forebay/src/postgres/index.ts";
import { NEEDS_HAPROXY } from "../support/haproxy.ts";

let server: EmbeddedServer;

beforeAll(async () => {
  server = await startEmbedded({ settings: labServerSettings });
});

afterAll(async () => {
  await server.stop();
});

/**
 * Schemas and connections of the lab that are on the server; the server has some seconds to notice
 * closed ones.
 */
async function leftOnServer(): Promise<{ schemas: number; connections: number }> {
  const db = openDB(postgres(server.url), { maxOpenConns: 1 });
  try {
    for (let look = 0; ; look++) {
      const left = await db.queryRow<{ schemas: number; connections: number }>(`
        SELECT
          (SELECT count(*)::int FROM pg_namespace WHERE nspname LIKE 'forebay_lab%') AS schemas,
          (SELECT count(*)::int FROM pg_stat_activity
            WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()) AS connections`);
      if (look === 50 || left.schemas + left.connections === 0) return left;
      await delay(100);
    }
  } finally {
    await db.close();
  }
}

/** Runs a scenario and aborts the run in the midst of the arm whose name has `at` in it. */
async function runUntil(id: number, at: string): Promise<LabReport> {
  const abort = new AbortController();
  return runLab({
    ids: [id],
    quick: true,
    server,
    signal: abort.signal,
    onProgress: ({ arm }) => {
      if (arm.includes(at)) setTimeout(() => abort.abort(new Error("stopped by the test")), 200);
    },
  });
}

test("the list has the scenarios by number, with what they need", () => {
  const listed = listScenarios();
  const ids = listed.map(({ id }) => id);
  expect(ids).toEqual([...new Set(ids)].sort((a, b) => a - b));
  for (const { title, needs, minutes } of listed) {
    expect(title).not.toBe("");
    expect(needs).not.toBe("");
    expect(minutes).toBeGreaterThan(0);
  }
});

test("the list says which scenarios take a statement of the user's", () => {
  const takers = listScenarios().filter(({ takesQuery }) => takesQuery);
  expect(takers.map(({ id }) => id)).toContain(2);
  expect(takers.map(({ id }) => id)).not.toContain(9);
});

test("a scenario that takes no statement is refused one before anything is done", async () => {
  const running = runLab({ ids: [9], quick: true, server, query: "SELECT 1" });
  await expect(running).rejects.toThrow(/scenario 9 takes no query/);
});

test("a number that is no scenario's is refused before anything is done", async () => {
  await expect(runLab({ ids: [77], quick: true, server })).rejects.toThrow(/no scenario 77/);
});

describe("a quick run of one scenario", () => {
  let report: LabReport;
  const fractions: number[] = [];

  beforeAll(async () => {
    report = await runLab({
      ids: [9],
      quick: true,
      server,
      onProgress: ({ fraction }) => fractions.push(fraction),
    });
  });

  test("gives both verdicts, checks, arms, plots and advice", () => {
    const [scenario] = report.scenarios;
    expect(report.partial).toBe(false);
    expect(scenario).toMatchObject({ id: 9, partial: false });
    expect(["holds", "refuted", "inconclusive"]).toContain(scenario?.claim.verdict);
    expect(["pass", "fail", "inconclusive"]).toContain(scenario?.forebay.verdict);
    expect(scenario?.forebay.checks.length).toBeGreaterThan(4);
    expect(scenario?.arms.length).toBeGreaterThan(5);
    expect(scenario?.plots.length).toBeGreaterThan(0);
    expect(scenario?.whatToSet.code).not.toBe("");
  });

  test("every way of inserting inserted what it was given", () => {
    const check = report.scenarios[0]?.forebay.checks.find(({ name }) =>
      name.includes("did not hold what was inserted"),
    );
    expect(check).toMatchObject({ value: 0, pass: true });
  });

  test("has a calibration of this server, with TLS and SCRAM", () => {
    expect(report.server).toMatchObject({ isTls: true, authentication: "scram-sha-256" });
    expect(report.calibration?.queryP50Ms).toBeGreaterThan(0);
    expect(report.calibration?.connectP50Ms).toBeGreaterThan(report.calibration?.queryP50Ms ?? 0);
  });

  test("survives JSON and holds no password", () => {
    const json = JSON.stringify(report);
    expect(json).not.toContain(server.password);
    expect(json).not.toContain("postgres://");
    expect(json).not.toContain("null");
    expect(renderHtml(JSON.parse(json) as LabReport)).not.toContain(server.password);
  });

  test("tells how far it is, never going back", () => {
    expect(fractions.length).toBeGreaterThan(10);
    expect(fractions.every((one, at) => one >= (fractions[at - 1] ?? 0) && one <= 1)).toBe(true);
  });

  test("leaves nothing on the server", async () => {
    expect(await leftOnServer()).toEqual({ schemas: 0, connections: 0 });
  });
});

/** How many scenarios a run that is aborted reports, its scenario, and the step of the abort. */
const ABORTS: readonly (readonly [number, number, string])[] = [
  [0, 9, "calibration"],
  [1, 1, "16 connections, steady"],
  [1, 1, "no limit, database/sql"],
  [1, 2, "bursts, Forebay"],
  ...(NEEDS_HAPROXY === "" ? [[1, 3, "lulls behind HAProxy"] as const] : []),
  [1, 9, "COPY"],
  [1, 11, "two servers"],
  [1, 11, "immediate restart"],
  [1, 15, "a worker thread"],
  [1, 16, "2 processes"],
];

describe("a run that is aborted", () => {
  test.each(ABORTS)(
    "resolves with a partial report of %i scenarios and leaves nothing: scenario %i, %s",
    async (scenarios, id, at) => {
      const report = await runUntil(id, at);
      expect(report.partial).toBe(true);
      expect(report.scenarios).toHaveLength(scenarios);
      for (const scenario of report.scenarios) {
        expect(scenario).toMatchObject({
          partial: true,
          claim: { verdict: "inconclusive" },
          forebay: { verdict: "inconclusive" },
        });
      }
      expect(await leftOnServer()).toEqual({ schemas: 0, connections: 0 });
    },
  );
});

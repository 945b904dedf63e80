// What `checkDriver` and `driverCases` say of cases that fail, are skipped, or never end.

import { afterEach, beforeEach, expect, test } from "vitest";
import type { DriverConn } from "../../../packages/forebay/src/driver/driver.ts";
import {
  checkDriver,
  DriverConformanceError,
  driverCases,
} from "../../../packages/forebay/src/testing/index.ts";
import { conns, never, queries, results } from "./break-driver.ts";
import { failures, inVirtualTime, reportOn } from "./run-cases.ts";
import { Toy, TOY_DIALECT, toyDialect } from "./toy-driver.ts";

// The test runner's own handlers would fail the run for what is done on purpose here.
type Handler = (reason: unknown, promise: Promise<unknown>) => void;
let handlers: Handler[] = [];
beforeEach(() => {
  handlers = process.listeners("unhandledRejection");
});
afterEach(() => {
  for (const handler of handlers) {
    if (!process.listeners("unhandledRejection").includes(handler)) {
      process.on("unhandledRejection", handler);
    }
  }
});

test("a driver that breaks a rule is rejected, with the rule and what was found", async () => {
  const toy = new Toy();
  results(() => ({ command: undefined as unknown as string }))(toy);
  const { clock } = toy;
  const error: unknown = await inVirtualTime(
    clock,
    checkDriver(toy, toyDialect(toy), { clock }).catch((reason: unknown) => reason),
  );
  expect(error).toBeInstanceOf(DriverConformanceError);
  const { code, message, report } = error as DriverConformanceError;
  expect(code).toBe("DRIVER_NONCONFORMING");
  expect(report.cases.length).toBeGreaterThan(80);
  expect(message).toBe(
    `the driver of toy breaks its contract in 1 of ${report.cases.length} cases ` +
      "[DRIVER_NONCONFORMING]\n\n" +
      "  gives rows as objects, with their columns and a command\n" +
      "    rule: DriverResult has columns, rows, rowsAffected and command; rowMode is object by " +
      "default\n" +
      "    found: command is not a text",
  );
});

test("one case can be run alone, and needs no argument", async () => {
  const toy = new Toy();
  results(() => ({ command: undefined as unknown as string }))(toy);
  const { clock } = toy;
  const runs = new Map(
    driverCases(toy, toyDialect(toy), { clock }).map(({ name, run }) => [name, run]),
  );
  const good = runs.get("gives many rows, in order");
  const bad = runs.get("gives rows as objects, with their columns and a command");
  expect(good && (await inVirtualTime(clock, good()))).toMatchObject({ outcome: "passed" });
  await expect(bad && inVirtualTime(clock, bad())).rejects.toThrow("command is not a text");
  expect(toy.database.openCount).toBe(0);
  expect(clock.pendingTimerCount).toBe(0);
});

test("what a driver or dialect lacks is skipped, and the report says why", async () => {
  const toy = new Toy();
  conns((conn: Partial<DriverConn>) => {
    Object.assign(conn, {
      ping: undefined,
      isValid: undefined,
      resetSession: undefined,
      pipeline: undefined,
      clearStatementCache: undefined,
      capabilities: ["cancel", "loss"],
    });
  })(toy);
  const { isolation: _, failingMidway: __, copy: ___, notify: ____, ...small } = TOY_DIALECT;
  const report = await reportOn(toy, { ...small, errorsSpoilTx: true }, toy.clock);
  expect(failures(report)).toEqual([]);
  const reasons = report.cases.flatMap(({ reason }) => (reason === undefined ? [] : [reason]));
  expect([...new Set(reasons)].toSorted()).toEqual([
    "it does not say that it has deadlines",
    "the connection has no clearStatementCache",
    "the connection has no isValid",
    "the connection has no ping",
    "the connection has no pipeline",
    "the connection has no resetSession",
    "the dialect has no connector that is refused",
    "the dialect has no connector to a silent server",
    "the dialect has no copy",
    "the dialect has no failingMidway",
    "the dialect has no kill",
    "the dialect has no notify",
    "the dialect has no openCount",
  ]);
});

test("a driver that ignores its signal is found out in time", async () => {
  const toy = new Toy();
  queries(({ conn, sql, args, options, real }) =>
    sql === "SLOW" && options?.signal !== undefined ? conn.query(sql, args) : real(),
  )(toy);
  const report = await reportOn(toy, toyDialect(toy), toy.clock);
  expect(failures(report)).toContain(
    "stops query when its signal is aborted: " +
      "a slow query whose signal was aborted did not end within 200ms",
  );
});

test("a driver that never answers, not even to close, is done with in bounded time", async () => {
  const toy = new Toy();
  const { clock } = toy;
  conns((conn) => {
    conn.query = never;
    conn.close = never;
  })(toy);
  const cases = driverCases(toy, toyDialect(toy), { clock, callTimeoutMs: 200 });
  const run = cases[0]?.run() ?? never();
  await expect(inVirtualTime(clock, run)).rejects.toThrow("did not end within 200ms");
  expect(clock.nowMs()).toBe(400);
  expect(clock.pendingTimerCount).toBe(0);
});

test("a call that throws and does not reject is found out", async () => {
  const toy = new Toy();
  queries(({ sql, real }) => {
    if (sql === "FAIL") throw new Error("at once");
    return real();
  })(toy);
  const report = await reportOn(toy, toyDialect(toy), toy.clock);
  expect(failures(report)).toContain(
    "rejects what the server refuses, and can be used on: a statement that the server refuses " +
      "threw, and did not reject: Error: at once",
  );
});

test("a rejection that nobody handles fails the case in which it came", async () => {
  process.removeAllListeners("unhandledRejection");
  const toy = new Toy();
  results((_result, sql) => {
    if (sql === "SERIES 0") void Promise.reject(new Error("forgotten"));
    return {};
  })(toy);
  const report = await reportOn(toy, toyDialect(toy), toy.clock);
  expect(failures(report)).toEqual([
    "gives no rows, and still the columns, where there are none: a promise was rejected, and " +
      "nobody handled it: Error: forgotten",
  ]);
  expect(process.listenerCount("unhandledRejection")).toBe(0);
});

test("a connection that comes after its case has ended is closed", async () => {
  const toy = new Toy();
  const { clock } = toy;
  const hang = toy.database.hangNext("connect");
  const [first] = driverCases(toy, toyDialect(toy), { clock, callTimeoutMs: 200 });
  const running = inVirtualTime(clock, first?.run() ?? never());
  await expect(running).rejects.toThrow("connect did not end within 200ms");
  hang.release();
  await clock.settle();
  expect(toy.database.conns.length).toBe(1);
  expect(toy.database.openCount).toBe(0);
});

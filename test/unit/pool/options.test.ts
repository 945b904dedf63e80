import { describe, expect, test } from "vitest";
import { systemClock } from "../../../packages/forebay/src/base/clock.ts";
import { systemRandom } from "../../../packages/forebay/src/base/random.ts";
import { resolveOptions } from "../../../packages/forebay/src/pool/option-checks.ts";
import type { PoolOptions } from "../../../packages/forebay/src/pool/options.ts";
import { coreOf, Pool } from "../../../packages/forebay/src/pool/pool.ts";
import { FakeConnector } from "../../../packages/forebay/src/testing/fake-connector.ts";
import { VirtualClock } from "../../../packages/forebay/src/testing/virtual-clock.ts";
import { poolBench } from "../../support/pool.ts";
import { take, watch } from "./steps.ts";

const FROM_1 = "a whole number from 1, or Infinity for no limit";
const FROM_0 = "a whole number from 0";
const DURATION = "a number of milliseconds above 0, or Infinity";

/** What each option wants, as its error says. */
const WANTS: Readonly<Record<string, string>> = {
  maxOpenConns: FROM_1,
  maxIdleConns: "a whole number from 0 (0 keeps none), or Infinity",
  minIdleConns: FROM_0,
  connMaxLifetimeMs: DURATION,
  lifetimeJitterRatio: "a number from 0 to 1",
  connMaxIdleTimeMs: DURATION,
  acquireTimeoutMs: DURATION,
  maxWaiters: "a whole number from 0, or Infinity for no limit",
  maxDialing: FROM_1,
  idleOrder: '"lifo" or "fifo"',
  waiterOrder: '"fifo" or "random"',
  pingAfterIdleMs: DURATION,
  keepaliveMs: DURATION,
  dialErrors: '"wait" or "reject"',
  dialTimeoutMs: DURATION,
  resetTimeoutMs: DURATION,
  closeTimeoutMs: DURATION,
  pingTimeoutMs: DURATION,
  hookTimeoutMs: DURATION,
  shedding: "{ targetMs, intervalMs }, both numbers of milliseconds above 0",
  leakAfterMs: DURATION,
  slowAcquireMs: DURATION,
  nestedAcquire: '"allow" or "warn" or "reject"',
  preset: '"default" or "go"',
};

const NONSENSE: readonly (readonly [unknown, string])[] = [
  [Number.NaN, "NaN"],
  [-1, "-1"],
  [-Infinity, "-Infinity"],
  ["5", '"5"'],
  ["", '""'],
  [null, "object"],
  [true, "boolean"],
  [[5], "object"],
  [{}, "object"],
  [5n, "5"],
];

const make = (options: object) => () => new Pool(new FakeConnector(new VirtualClock()), options);

const invalid = (message: string) =>
  expect.objectContaining({
    name: "UsageError",
    code: "OPTION_INVALID",
    family: "usage",
    retryable: false,
    message: `${message} [OPTION_INVALID]`,
  });

describe.each(Object.entries(WANTS))("%s", (option, wants) => {
  test.each(NONSENSE)("is refused as %s, in words that say what is wanted", (value, shown) => {
    expect(make({ [option]: value })).toThrow(invalid(`${option} must be ${wants}, not ${shown}`));
  });

  test("may be left undefined, which means the default", () => {
    const { limits, settings } = resolveOptions({ [option]: undefined }, "fake");
    const byDefault = resolveOptions({}, "fake");
    expect(limits).toEqual(byDefault.limits);
    expect({ ...settings, onBackgroundError: undefined }).toEqual({
      ...byDefault.settings,
      onBackgroundError: undefined,
    });
  });
});

test.each([
  ["maxOpenConns", 0],
  ["maxOpenConns", 1.5],
  ["maxIdleConns", 0.5],
  ["minIdleConns", 0.5],
  ["minIdleConns", Infinity],
  ["maxWaiters", 2.5],
  ["maxDialing", 0],
  ["maxDialing", 1.5],
  ["connMaxLifetimeMs", 0],
  ["connMaxIdleTimeMs", 0],
  ["acquireTimeoutMs", 0],
  ["dialTimeoutMs", 0],
  ["resetTimeoutMs", 0],
  ["closeTimeoutMs", 0],
  ["idleOrder", "random"],
  ["waiterOrder", "lifo"],
])("%s is refused as %s", (option, value) => {
  const shown = typeof value === "string" ? `"${value}"` : String(value);
  const message = `${option} must be ${WANTS[option]}, not ${shown}`;
  expect(make({ [option]: value })).toThrow(invalid(message));
});

test.each([
  ["maxOpenConns", [1, 2 ** 31, Infinity]],
  ["maxIdleConns", [0, 1, Infinity]],
  ["minIdleConns", [0, 1, 10]],
  ["maxWaiters", [0, 1, Infinity]],
  ["maxDialing", [1, Infinity]],
  ["connMaxLifetimeMs", [0.5, 1, Infinity]],
  ["connMaxIdleTimeMs", [0.5, 1, Infinity]],
  ["acquireTimeoutMs", [0.5, 1, Infinity]],
  ["dialTimeoutMs", [0.5, Infinity]],
  ["resetTimeoutMs", [0.5, Infinity]],
  ["closeTimeoutMs", [0.5, Infinity]],
  ["idleOrder", ["lifo", "fifo"]],
  ["waiterOrder", ["fifo", "random"]],
])("%s is accepted at its edges: %j", (option, values) => {
  for (const value of values) {
    const { limits, settings } = resolveOptions({ [option]: value }, "fake");
    expect({ ...limits, ...settings }).toMatchObject({ [option]: value });
  }
});

test("a long word is cut where it is quoted", () => {
  const message = `idleOrder must be "lifo" or "fifo", not "${"x".repeat(40)}"`;
  expect(make({ idleOrder: "x".repeat(1000) })).toThrow(invalid(message));
});

test("an option that does not exist is refused, and those that do are listed", () => {
  expect(make({ max: 5 })).toThrow(
    invalid(
      `no pool option is called max. Known: ${Object.keys(WANTS).join(", ")}, ` +
        "hooks, name, onBackgroundError, onWarning, clock, random",
    ),
  );
  expect(make({ toString: 5 })).toThrow("no pool option is called toString");
});

test("minIdleConns that the other limits never let be kept is refused", () => {
  const contradiction = (min: number, idle: number, open: number) =>
    invalid(
      `minIdleConns ${min} can never be kept with maxIdleConns ${idle} and maxOpenConns ${open}. ` +
        "Lower it, or raise those",
    );
  expect(make({ minIdleConns: 11 })).toThrow(contradiction(11, Infinity, 10));
  expect(make({ minIdleConns: 3, maxIdleConns: 2 })).toThrow(contradiction(3, 2, 10));
  expect(make({ minIdleConns: 2, maxIdleConns: 2, maxOpenConns: 2 })).not.toThrow();
});

test("the defaults are those that are documented", () => {
  const { limits, settings } = resolveOptions({}, "fake");
  expect(limits).toEqual({
    maxOpenConns: 10,
    maxIdleConns: Infinity,
    minIdleConns: 0,
    connMaxLifetimeMs: 1_800_000,
    connMaxIdleTimeMs: 600_000,
    acquireTimeoutMs: 10_000,
    maxWaiters: Infinity,
    maxDialing: 4,
    idleOrder: "lifo",
    waiterOrder: "fifo",
    lifetimeJitterRatio: 0.1,
    pingAfterIdleMs: 30_000,
    keepaliveMs: Infinity,
    dialErrors: "wait",
  });
  expect(settings).toEqual({
    name: "fake",
    dialTimeoutMs: 15_000,
    resetTimeoutMs: 5000,
    closeTimeoutMs: 15_000,
    pingTimeoutMs: 2000,
    hookTimeoutMs: 5000,
    hooks: {},
    shedding: undefined,
    leakAfterMs: Infinity,
    slowAcquireMs: Infinity,
    nestedAcquire: "allow",
    onBackgroundError: expect.any(Function),
    onWarning: expect.any(Function),
    clock: systemClock,
    random: systemRandom,
  });
  expect(settings.onBackgroundError(new Error("unheard"), "close")).toBeUndefined();
});

test("a pool made without options opens nothing", () => {
  const connector = new FakeConnector(new VirtualClock());
  const pool = new Pool(connector);
  expect(pool.name).toBe("fake");
  expect(pool.stats()).toMatchObject({ maxOpenConnections: 10, openConnections: 0 });
  expect(connector.dialCount).toBe(0);
});

test("the idle limit is as high as maxOpenConns unless it is set lower", () => {
  const maxIdle = (options: PoolOptions) => coreOf(poolBench(options).pool).maxIdle;
  expect(maxIdle({ maxOpenConns: 7 })).toBe(7);
  expect(maxIdle({ maxOpenConns: 7, maxIdleConns: 9 })).toBe(7);
  expect(maxIdle({ maxOpenConns: 7, maxIdleConns: 3 })).toBe(3);
  expect(maxIdle({ maxOpenConns: Infinity })).toBe(Infinity);
});

test("without limits, every caller gets a connection of its own, and all are kept", async () => {
  const bench = poolBench({ maxOpenConns: Infinity, maxDialing: Infinity });
  const leases = await take(bench, 50);
  expect(new Set(leases.map((lease) => lease.conn.id)).size).toBe(50);
  for (const lease of leases) lease.release();
  expect(bench.pool.stats()).toMatchObject({
    maxOpenConnections: Infinity,
    openConnections: 50,
    idle: 50,
    waitCount: 0,
  });
});

test("one connection at most means one after the other", async () => {
  const bench = poolBench({ maxOpenConns: 1 });
  const [first] = await take(bench, 1);
  const second = watch(bench.pool.acquire());
  await bench.advance(1000);
  expect(second.state).toBe("pending");
  first?.release();
  await bench.advance(0);
  expect(second.value?.conn.id).toBe(1);
  expect(bench.connector.dialCount).toBe(1);
});

import { describe, expect, test } from "vitest";
import type { DriverConn } from "../../../packages/forebay/src/driver/driver.ts";
import { BadConnError } from "../../../packages/forebay/src/index.ts";
import { GoRulesPool } from "../../../packages/forebay-cli/src/lab/go-rules.ts";
import { VirtualClock } from "../../../packages/forebay/src/testing/index.ts";
import { seededLabRandom } from "../../../packages/forebay-cli/src/lab/random.ts";

const never = new AbortController().signal;

/** A connector whose dials end when told to, and whose connections only count. */
function fakeConnector() {
  const dials: { succeed: () => void; fail: (error: Error) => void }[] = [];
  const lost: (() => void)[] = [];
  let closed = 0;
  return {
    dials,
    lost,
    closed: () => closed,
    connector: {
      name: "fake",
      connect: (options: { onLost: (reason: unknown) => void }) =>
        new Promise<DriverConn>((resolve, reject) => {
          lost.push(() => options.onLost(new Error("lost")));
          const conn = {
            close: () => {
              closed++;
            },
          } as unknown as DriverConn;
          dials.push({ succeed: () => resolve(conn), fail: reject });
        }),
    },
  };
}

/** Holds a connection until told to let go. */
function holder(pool: GoRulesPool) {
  let letGo: () => void = () => undefined;
  let has = false;
  const until = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const done = pool.withConn(() => {
    has = true;
    return until;
  }, never);
  return { letGo: () => letGo(), done, has: () => has };
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

function poolOf(limits: { maxOpenConns: number; maxIdleConns: number }) {
  const fake = fakeConnector();
  return { fake, pool: new GoRulesPool(fake.connector, limits, seededLabRandom(1)) };
}

describe("the model of database/sql's pool", () => {
  test("a caller that dials waits for its own dial, although a connection came free", async () => {
    const { fake, pool } = poolOf({ maxOpenConns: Infinity, maxIdleConns: 2 });
    const first = holder(pool);
    fake.dials[0]?.succeed();
    await settle();
    const second = holder(pool);
    first.letGo();
    await settle();
    expect(pool.stats()).toMatchObject({ openConnections: 2, inUse: 1 });
    expect(second.has()).toBe(false);
    fake.dials[1]?.succeed();
    await settle();
    expect(second.has()).toBe(true);
    second.letGo();
    await Promise.all([first.done, second.done, pool.close()]);
  });

  test("beyond maxIdleConns a connection that comes back is closed, and counted", async () => {
    const { fake, pool } = poolOf({ maxOpenConns: Infinity, maxIdleConns: 2 });
    const holders = Array.from({ length: 5 }, () => holder(pool));
    for (const dial of fake.dials) dial.succeed();
    await settle();
    for (const one of holders) one.letGo();
    await Promise.all(holders.map((one) => one.done));
    await settle();
    expect(pool.stats()).toMatchObject({ openConnections: 2, maxIdleClosed: 3, dialCount: 5 });
    expect(fake.closed()).toBe(3);
  });

  test("a failed dial is the error of the caller that made it, and of nobody else", async () => {
    const { fake, pool } = poolOf({ maxOpenConns: Infinity, maxIdleConns: 2 });
    const first = holder(pool);
    const second = holder(pool);
    const failed = Promise.allSettled([second.done]);
    fake.dials[1]?.fail(new Error("too many"));
    fake.dials[0]?.succeed();
    expect((await failed)[0]).toMatchObject({ reason: { message: "too many" } });
    await settle();
    expect(first.has()).toBe(true);
    expect(pool.stats()).toMatchObject({ dialErrorCount: 1, openConnections: 1 });
    first.letGo();
    await first.done;
  });

  test("at the limit a caller waits, is counted, and gets what comes back", async () => {
    const { fake, pool } = poolOf({ maxOpenConns: 1, maxIdleConns: 1 });
    const first = holder(pool);
    fake.dials[0]?.succeed();
    await settle();
    const second = holder(pool);
    await settle();
    expect(pool.stats().waitCount).toBe(1);
    first.letGo();
    await settle();
    expect(second.has()).toBe(true);
    expect(fake.dials.length).toBe(1);
    second.letGo();
    await second.done;
  });

  test("a connection lost while idle is not handed out", async () => {
    const { fake, pool } = poolOf({ maxOpenConns: 5, maxIdleConns: 5 });
    const first = holder(pool);
    fake.dials[0]?.succeed();
    await settle();
    first.letGo();
    await first.done;
    fake.lost[0]?.();
    const second = holder(pool);
    await settle();
    expect(fake.dials.length).toBe(2);
    fake.dials[1]?.succeed();
    await settle();
    second.letGo();
    await second.done;
    expect(pool.stats().openConnections).toBe(1);
  });

  test.each([
    ["noticed", 1, 0],
    ["unnoticed", 2, 1],
  ] as const)("a loss while idle that is %s: %i handed out", async (idleLoss, acquires, bad) => {
    const fake = fakeConnector();
    const limits = { maxOpenConns: 1, maxIdleConns: 1, idleLoss };
    const pool = new GoRulesPool(fake.connector, limits, seededLabRandom(1));
    const warm = pool.withConn(() => Promise.resolve(), never);
    fake.dials[0]?.succeed();
    await warm;
    fake.lost[0]?.();
    let tries = 0;
    const served = pool.withConn(() => {
      if (++tries <= bad) throw new BadConnError("lost before the request");
      return Promise.resolve("served");
    }, never);
    await settle();
    fake.dials[1]?.succeed();
    expect(await served).toBe("served");
    expect(pool.stats().acquireCount).toBe(1 + acquires);
    expect(fake.closed()).toBe(1);
  });

  test("the third try has a new connection, and its error is told", async () => {
    const fake = fakeConnector();
    const limits = { maxOpenConns: 9, maxIdleConns: 9, idleLoss: "unnoticed" } as const;
    const pool = new GoRulesPool(fake.connector, limits, seededLabRandom(1));
    const held = [holder(pool), holder(pool), holder(pool)];
    for (const dial of fake.dials) dial.succeed();
    await settle();
    for (const one of held) one.letGo();
    await settle();
    for (const lose of fake.lost) lose();
    let tries = 0;
    const call = pool.withConn(() => {
      throw new BadConnError(`try ${++tries}`);
    }, never);
    await settle();
    fake.dials[3]?.succeed();
    await expect(call).rejects.toThrow("try 3");
    expect(fake.dials.length).toBe(4);
  });

  test("quiet connections are pinged one after the other, until one answers", async () => {
    const clock = Object.assign(new VirtualClock(), { date: () => new Date(0) });
    const pings: number[] = [];
    let open = 0;
    const connect = () => {
      const number = ++open;
      const ping = ({ signal }: { readonly signal: AbortSignal }) =>
        new Promise<void>((resolve, reject) => {
          pings.push(number);
          if (number === 1) resolve();
          signal.addEventListener("abort", () => reject(signal.reason as Error));
        });
      return Promise.resolve({ ping, close: () => Promise.resolve() } as unknown as DriverConn);
    };
    const limits = { maxOpenConns: 3, maxIdleConns: 3, ping: { afterMs: 1000, timeoutMs: 250 } };
    const pool = new GoRulesPool({ name: "fake", connect }, limits, seededLabRandom(1), clock);
    const held = [holder(pool), holder(pool), holder(pool)];
    await settle();
    for (const one of held) one.letGo();
    await settle();
    await clock.advance(1001);
    let servedAtMs = Number.NaN;
    void pool.withConn(() => Promise.resolve((servedAtMs = clock.nowMs())), never);
    await clock.advance(10_000);
    expect(pings).toEqual([3, 2, 1]);
    expect(servedAtMs).toBe(1001 + 2 * 250);
    expect(pool.stats().openConnections).toBe(1);
  });
});

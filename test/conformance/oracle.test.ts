import { expect, test } from "vitest";
import { type Caller, Life, manyLives } from "./life.ts";
import { poolBench, script, take, watch } from "./support.ts";

const WORST = { broken: true, restless: true };
const PATIENT = { broken: true, restless: false };
const SOUND = { broken: false, restless: true };

function reasonsOf(callers: readonly Caller[], code: string): number {
  const has = ({ reason }: Caller) => (reason as { code?: unknown } | undefined)?.code === code;
  return callers.filter(has).length;
}

test("P1: the server never counts more connections than are allowed, come what may", async () => {
  const breaches: string[] = [];
  let dials = 0;
  await manyLives(WORST, {}, (life) => {
    const { connector, limits } = life;
    let allowed = limits.maxOpenConns;
    life.onDriverCall = (call) => {
      if (call !== "connect") return;
      dials += 1;
      if (connector.serverCount > limits.maxOpenConns) breaches.push("a dial beyond the limit");
    };
    const look = () => {
      const { serverCount } = connector;
      if (serverCount > Math.max(allowed, limits.maxOpenConns)) breaches.push("too many");
      allowed = Math.max(limits.maxOpenConns, serverCount);
    };
    return { look };
  });
  expect(breaches).toEqual([]);
  expect(dials).toBeGreaterThan(200);
});

test("P2: every acquire settles once, and what is granted is in its caller's hands", async () => {
  const outcomes = { served: 0, timedOut: 0, aborted: 0 };
  await manyLives(WORST, {}, (life) => {
    const look = () => expect(life.pool.stats().pool.leased).toBe(life.holders().length);
    const end = () => {
      expect(life.callers.map(({ settled }) => settled)).toEqual(life.callers.map(() => 1));
      outcomes.served += life.served.length;
      outcomes.timedOut += reasonsOf(life.callers, "POOL_TIMEOUT");
      outcomes.aborted += life.callers.filter(({ reason }) => reason === "enough").length;
      const { served } = life;
      const rejected = life.callers.filter(({ lease }) => lease === undefined);
      expect(served.length + rejected.length).toBe(life.callers.length);
    };
    return { look, end };
  });
  for (const count of Object.values(outcomes)) expect(count).toBeGreaterThan(20);
});

test("P3: no connection has two owners", async () => {
  let served = 0;
  await manyLives(WORST, {}, (life) => ({
    look: () => expect(life.overlaps).toEqual([]),
    end: () => {
      served += life.served.length;
    },
  }));
  expect(served).toBeGreaterThan(300);
});

test("P4: when all is quiet nothing is in use, and no more is idle than may be", async () => {
  let idle = 0;
  const limits = { connMaxLifetimeMs: Infinity, connMaxIdleTimeMs: Infinity };
  await manyLives(WORST, limits, (life) => ({
    end: () => {
      const stats = life.pool.stats();
      const { maxIdleConns, maxOpenConns } = life.limits;
      expect(stats).toMatchObject({ inUse: 0, pool: { waiting: 0, dialing: 0, closing: 0 } });
      expect(stats.idle).toBeLessThanOrEqual(Math.min(maxIdleConns, maxOpenConns));
      expect(life.connector.serverCount).toBe(stats.idle);
      idle += stats.idle;
    },
  }));
  expect(idle).toBeGreaterThan(10);
});

test("P5: who waits has a dial under way or all places taken, and is served at last", async () => {
  let waits = 0;
  await manyLives(SOUND, {}, ({ pool, limits }) => ({
    look: () => {
      const { openConnections, idle, pool: now } = pool.stats();
      if (now.waiting === 0) return;
      waits += 1;
      expect(idle).toBe(0);
      expect(now.dialing > 0 || openConnections >= limits.maxOpenConns).toBe(true);
    },
  }));
  expect(waits).toBeGreaterThan(100);
  await manyLives(PATIENT, {}, (life) => ({
    end: () => expect(life.served).toHaveLength(life.callers.length),
  }));
});

test("P8: every counter is the number of its events, and every gauge what is there", async () => {
  await manyLives(WORST, {}, (life) => {
    const look = () => {
      const { openConnections, idle, pool } = life.pool.stats();
      const { callers, seen, connector } = life;
      expect(pool).toMatchObject({
        waiting: life.waiting().length,
        leased: life.holders().length,
        dialing: connector.dialing,
        acquireCount: life.served.length,
        timeoutCount: reasonsOf(callers, "POOL_TIMEOUT"),
        abortCount: callers.filter(({ reason }) => reason === "enough").length,
        dialCount: seen.dialed,
        dialErrorCount: seen.dialFailed,
      });
      expect(Object.values(pool.closedBy).reduce((sum, n) => sum + n, 0)).toBe(seen.closed);
      expect(openConnections).toBe(connector.serverCount);
      expect(idle).toBe(seen.dialed - seen.closed - pool.leased - pool.checking);
    };
    return { look, end: look };
  });
});

test("P9: close settles all, closes what a dial gives after it, and ends", async () => {
  const codes = new Set<unknown>();
  for (let seed = 1; seed <= 25; seed++) {
    const life = new Life(seed, WORST, { closeTimeoutMs: 50 });
    const { connect } = life.connector;
    const deaf = seed % 2 === 0;
    life.connector.connect = (how) => {
      const { signal } = deaf ? new AbortController() : how;
      return connect.call(life.connector, { ...how, signal });
    };
    for (let step = 0; step < 10 + seed; step++) await life.step();
    const waited = [...life.waiting(), life.acquire(), life.acquire()];
    const closed = watch(life.pool.close({ drainTimeoutMs: 100 }));
    await life.clock.settle();
    expect(life.waiting()).toEqual([]);
    for (const { reason } of waited) codes.add((reason as { code?: unknown } | undefined)?.code);
    const late = life.acquire();
    await life.clock.advance(300);
    expect(late.reason).toMatchObject({ code: "POOL_CLOSED" });
    expect(closed.state).toBe("resolved");
    expect(life.connector.serverCount).toBe(0);
    expect(life.clock.pendingTimerCount).toBe(0);
  }
  expect(codes).toContain("POOL_CLOSED");
});

test("P10: a raised limit serves as many of those who wait as it makes room for", async () => {
  for (let seed = 1; seed <= 25; seed++) {
    const from = 1 + (seed % 3);
    const by = 1 + (seed % 4);
    const waiting = 1 + (seed % 7);
    const bench = poolBench(
      { maxOpenConns: from, maxDialing: Infinity },
      script({ connect: () => ({ afterMs: 10 }) }),
    );
    const held = take(bench, from);
    await bench.advance(10);
    await held;
    const waiters = Array.from({ length: waiting }, () => watch(bench.pool.acquire()));
    await bench.advance(1000);
    bench.pool.setMaxOpenConns(from + by);
    await bench.advance(10);
    const served = waiters.filter(({ state }) => state === "resolved").length;
    expect(served).toBe(Math.min(by, waiting));
    expect(bench.connector.dialCount).toBe(from + served);
  }
});

test("P11: nobody is served before one who came earlier and waits still", async () => {
  let overtakable = 0;
  await manyLives(WORST, {}, (life) => {
    const look = () => {
      overtakable = Math.max(overtakable, life.waiting().length);
      expect(life.served).toEqual(life.served.toSorted((a, b) => a - b));
    };
    return { look, end: look };
  });
  expect(overtakable).toBeGreaterThan(3);
});

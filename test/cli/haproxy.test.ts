// The lab's HAProxy, in front of the server of the run.

import { afterEach, expect, inject, test } from "vitest";
import { labClock } from "../../packages/forebay-cli/src/lab/clock.ts";
import { startHaproxy } from "../../packages/forebay-cli/src/lab/haproxy.ts";
import { serverAddress, through } from "../../packages/forebay-cli/src/lab/server-address.ts";
import { openPostgres } from "../../packages/forebay/src/postgres/index.ts";
import { NEEDS_HAPROXY } from "../support/haproxy.ts";

const closers: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

test.skipIf(NEEDS_HAPROXY !== "")(`forwards, and cuts what is quiet ${NEEDS_HAPROXY}`, async () => {
  const url = inject("postgresUrlVerify");
  const context = {
    clock: labClock,
    signal: new AbortController().signal,
    defer: (close: () => Promise<unknown>) => void closers.push(close),
  };
  const haproxy = await startHaproxy(context, {
    target: serverAddress(url),
    inactivityMs: 300,
  });
  expect(haproxy.version).toMatch(/^\d+\.\d+/);
  const db = openPostgres(url, { maxOpenConns: 1, connection: through(haproxy) });
  closers.push(() => db.close());
  expect(await db.queryRow("SELECT 1 AS one")).toEqual({ one: 1 });
  await expect.poll(() => db.stats().pool.closedBy.lost, { timeout: 10_000 }).toBe(1);
});

test.skipIf(NEEDS_HAPROXY !== "")(
  `it is gone once the scenario is over ${NEEDS_HAPROXY}`,
  async () => {
    const own: (() => Promise<unknown>)[] = [];
    const { pid } = await startHaproxy(
      {
        clock: labClock,
        signal: new AbortController().signal,
        defer: (close) => own.push(close),
      },
      { target: { host: "127.0.0.1", port: 1 }, inactivityMs: 1000 },
    );
    expect(() => process.kill(pid, 0)).not.toThrow();
    for (const close of own) await close();
    expect(() => process.kill(pid, 0)).toThrow("ESRCH");
  },
);

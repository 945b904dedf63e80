// A process of its own that makes a load: on a real server, and that nothing of it stays.

import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { LoadProcess } from "../../packages/forebay-cli/src/lab/load-process.ts";
import { type EmbeddedServer, startEmbedded } from "../../packages/forebay-cli/src/server/index.ts";
import { openDB } from "../../packages/forebay/src/index.ts";
import { postgres } from "../../packages/forebay/src/postgres/index.ts";

const { signal } = new AbortController();
let server: EmbeddedServer;

beforeAll(async () => {
  server = await startEmbedded({ settings: { max_connections: 20 } });
});

afterAll(async () => {
  await server.stop();
});

/** Waits until the server has so many connections besides the one that asks. */
async function untilConnections(count: number): Promise<void> {
  const db = openDB(postgres(server.url), { maxOpenConns: 1 });
  try {
    for (;;) {
      const { others } = await db.queryRow<{ others: number }>(
        "SELECT count(*)::int AS others FROM pg_stat_activity " +
          "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
      );
      if (others === count) return;
      await delay(50);
    }
  } finally {
    await db.close();
  }
}

const load = (sql: string) => ({ url: server.url, callers: 6, size: 3, sql });

test("makes its load turn after turn, and gives its connections back when it ends", async () => {
  const loader = new LoadProcess();
  await loader.open(load("SELECT 1"), signal);
  await untilConnections(3);
  for (const forMs of [20, 50]) {
    const turn = await loader.turn(forMs, signal);
    expect(turn.requests).toBeGreaterThan(0);
    expect(turn.waits).toBeGreaterThan(0);
    expect(turn.cpuMs).toBeGreaterThan(0);
    expect(turn.tookMs).toBeGreaterThanOrEqual(forMs);
  }
  await loader.end();
  await untilConnections(0);
  await expect(loader.turn(20, signal)).rejects.toThrow("it has ended");
});

test("is gone at once when it is ended, or the run aborted, in the middle of a turn", async () => {
  const loader = new LoadProcess();
  await loader.open(load("SELECT pg_sleep(0.01)"), signal);
  const abort = new AbortController();
  const turn = loader.turn(3_600_000, abort.signal);
  abort.abort(new Error("enough"));
  await expect(turn).rejects.toThrow("enough");
  await loader.end();
  await untilConnections(0);
});

test("tells why it could not connect, and of a statement that fails", async () => {
  const refused = new LoadProcess();
  const url = server.url.replace(server.password, "wrong");
  await expect(refused.open({ ...load("SELECT 1"), url }, signal)).rejects.toThrow(/password/);
  await refused.end();
  const failing = new LoadProcess();
  await failing.open(load("SELECT nonsense"), signal);
  await expect(failing.turn(20, signal)).rejects.toThrow(/nonsense/);
  await failing.end();
  await untilConnections(0);
});

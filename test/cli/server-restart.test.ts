// An embedded server that is started again, as the lab's scenario of a failover has it.

import { afterAll, beforeAll, expect, test } from "vitest";
import { type EmbeddedServer, startEmbedded } from "../../packages/forebay-cli/src/server/index.ts";
import { openPostgres } from "../../packages/forebay/src/postgres/index.ts";

let server: EmbeddedServer;

beforeAll(async () => {
  server = await startEmbedded();
  const db = openPostgres(server.url, { maxOpenConns: 1 });
  await db.exec("CREATE TABLE kept AS SELECT 1 AS n");
  await db.close();
});

afterAll(async () => {
  await server.stop();
});

test.each([
  ["fast", "on"],
  ["immediate", "off"],
] as const)(
  "a restart that is %s keeps port and data, and may change settings",
  async (how, on) => {
    const db = openPostgres(server.url, { maxOpenConns: 1 });
    const { pid } = server;
    await server.restart(how, on === "on" ? { default_transaction_read_only: "on" } : {});
    expect(server.pid).not.toBe(pid);
    expect(server.lost.aborted).toBe(false);
    expect(await db.queryRow("SELECT n FROM kept")).toEqual({ n: 1 });
    const shown = await db.queryRow("SHOW default_transaction_read_only");
    expect(shown).toEqual({ default_transaction_read_only: on });
    await db.close();
  },
);

test("its end is still noticed after a restart", async () => {
  await server.restart("fast");
  const lost = new Promise((resolve) => server.lost.addEventListener("abort", resolve));
  process.kill(server.pid, "SIGQUIT");
  await lost;
  expect(server.lost.reason).toMatchObject({ code: "SERVER_UNREACHABLE" });
});

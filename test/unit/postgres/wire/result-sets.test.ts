// Results of several statements, from a server whose messages come in every possible piece.

import { expect, test } from "vitest";
import type { DriverRows } from "../../../../packages/forebay/src/driver/driver.ts";
import {
  ConnectionLostError,
  type PgConnection,
} from "../../../../packages/forebay/src/postgres/index.ts";
import { CLOSE_GRACE_MS } from "../../../../packages/forebay/src/postgres/wire/portal.ts";
import { begin, codeOf, errorOf, takeCancel } from "./fake-server.ts";
import { complete, dataRow, ready, report, rowDescription } from "./messages.ts";

const SQL = "SELECT 'a' AS v UNION SELECT 'b'; UPDATE t SET n = 1; SELECT 'c' AS v";
const COLUMNS = rowDescription([["v", 25]]);

const ANSWER: readonly Buffer[] = [
  COLUMNS,
  dataRow(["a"]),
  dataRow(["b"]),
  complete("SELECT 2"),
  complete("UPDATE 5"),
  COLUMNS,
  dataRow(["c"]),
  complete("SELECT 1"),
  ready(),
];

/** Each result: the names of its columns, its values, its count. */
async function readAll(rows: DriverRows): Promise<unknown[]> {
  const results: unknown[] = [];
  do {
    const values: unknown[] = [];
    for (let batch = await rows.next(); batch !== undefined; batch = await rows.next()) {
      values.push(...batch.map((row) => (row as { v: unknown }).v));
    }
    results.push([rows.columns.map(({ name }) => name), values, rows.rowsAffected]);
  } while (rows.hasNextResultSet === true && (await rows.nextResultSet?.()) === true);
  return results;
}

const EXPECTED = [
  [["v"], ["a", "b"], 2],
  [[], [], 5],
  [["v"], ["c"], 1],
];

test.each([
  ["in one piece", [Buffer.concat(ANSWER)]],
  ["message by message", ANSWER],
  ["byte by byte", Array.from(Buffer.concat(ANSWER), (byte) => Buffer.from([byte]))],
])("results that come %s are told apart", async (_how, pieces) => {
  const { peer, conn } = await begin();
  const reading = conn.stream(SQL, []).then(readAll);
  await peer.receive();
  for (const piece of pieces) await peer.send(piece);
  expect(await reading).toEqual(EXPECTED);
  expect(conn.resetSession()).toBeUndefined();
});

async function streamed(conn: PgConnection, signal?: AbortSignal): Promise<DriverRows> {
  return conn.stream(SQL, [], { signal });
}

test("while results are open another request is refused", async () => {
  const { peer, conn } = await begin();
  const opening = streamed(conn);
  await peer.receive();
  await peer.send(Buffer.concat(ANSWER.slice(0, 2)));
  const rows = await opening;
  expect(codeOf(await errorOf(conn.query("SELECT 1", [])))).toBe("ARGUMENT_INVALID");
  await peer.send(Buffer.concat(ANSWER.slice(2)));
  expect(await readAll(rows)).toEqual(EXPECTED);
});

test("a connection that is lost in the middle fails what had not come", async () => {
  const { peer, conn } = await begin();
  const opening = streamed(conn);
  await peer.receive();
  await peer.send(Buffer.concat(ANSWER.slice(0, 4)));
  const rows = await opening;
  expect(await rows.next()).toHaveLength(2);
  peer.socket.end();
  expect(await rows.next()).toBeUndefined();
  expect(rows.hasNextResultSet).toBe(true);
  expect(await errorOf(rows.nextResultSet?.() ?? Promise.resolve())).toBeInstanceOf(
    ConnectionLostError,
  );
});

test("an error rejects only when the server is ready again", async () => {
  let notice = (): void => undefined;
  const noticed = new Promise<void>((resolve) => {
    notice = resolve;
  });
  const { peer, conn } = await begin({ onNotice: () => notice() });
  let isSettled = false;
  const opening = errorOf(streamed(conn)).finally(() => {
    isSettled = true;
  });
  await peer.receive();
  await peer.send(report("ERROR", "42601", "syntax error"));
  await peer.send(report("NOTICE", "00000", "still at it", "N"));
  await noticed;
  expect(isSettled).toBe(false);
  await peer.send(ready());
  expect(codeOf(await opening)).toBe("42601");
  expect(conn.resetSession()).toBeUndefined();
});

test("close waits a moment for the rest, and then has the server stopped", async () => {
  const { peer, conn, clock, server } = await begin();
  const opening = streamed(conn);
  await peer.receive();
  await peer.send(Buffer.concat(ANSWER.slice(0, 4)));
  const rows = await opening;
  const closing = rows.close();
  expect(rows.close()).toBe(closing);
  expect(await rows.next()).toBeUndefined();
  await clock.advance(CLOSE_GRACE_MS);
  await takeCancel(server);
  await peer.send(Buffer.concat([report("ERROR", "57014", "cancelled"), ready()]));
  await closing;
  expect(clock.pendingTimerCount).toBe(0);
});

test("a result that does not end before the server is ready costs the connection", async () => {
  const { peer, conn, losses } = await begin();
  const reading = errorOf(conn.stream(SQL, []).then(readAll));
  await peer.receive();
  await peer.send(COLUMNS, dataRow(["a"]), ready());
  expect(await reading).toBeInstanceOf(ConnectionLostError);
  expect(losses).toHaveLength(1);
});

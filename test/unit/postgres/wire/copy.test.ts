// COPY in both directions, with a server whose messages come in every possible piece.

import { expect, test } from "vitest";
import {
  copyFrom,
  copyTo,
  type PgConnection,
} from "../../../../packages/forebay/src/postgres/index.ts";
import { CLOSE_GRACE_MS } from "../../../../packages/forebay/src/postgres/wire/portal.ts";
import { begin, codeOf, errorOf, takeCancel } from "./fake-server.ts";
import { complete, int16, int32, message, ready, report } from "./messages.ts";

const OUT = "COPY t TO STDOUT";
const COPYING_OUT = message("H", [0], int16(1), int16(0));
const COPYING_IN = message("G", [0], int16(1), int16(0));
const DONE = Buffer.concat([message("c"), complete("COPY 2"), ready()]);

function row(text: string): Buffer {
  return message("d", Buffer.from(text));
}

const ANSWER = [COPYING_OUT, row("a\n"), row(`${"b".repeat(100)}\n`), DONE];

async function gathered(conn: PgConnection, sql = OUT): Promise<string> {
  let all = "";
  for await (const piece of copyTo(conn, sql)) all += piece.toString();
  return all;
}

test.each([
  ["in one piece", [Buffer.concat(ANSWER)]],
  ["message by message", ANSWER],
  ["byte by byte", Array.from(Buffer.concat(ANSWER), (byte) => Buffer.from([byte]))],
])("data that comes %s is put together", async (_how, pieces) => {
  const { peer, conn } = await begin();
  const reading = gathered(conn);
  expect((await peer.receive())?.body.toString()).toBe(`${OUT}\0`);
  for (const piece of pieces) await peer.send(piece);
  expect(await reading).toBe(`a\n${"b".repeat(100)}\n`);
  expect(conn.resetSession()).toBeUndefined();
});

test("nothing is sent before the first read", async () => {
  const { peer, conn } = await begin();
  const copy = copyTo(conn, OUT);
  const query = conn.query("", []);
  expect((await peer.receive())?.body.toString()).toBe("\0");
  await peer.send(Buffer.concat([message("I"), ready()]));
  await query;
  const reading = copy[Symbol.asyncIterator]().next();
  expect((await peer.receive())?.body.toString()).toBe(`${OUT}\0`);
  await peer.send(Buffer.concat(ANSWER));
  expect((await reading).done).toBe(false);
});

test("data that was given stays as it is when more comes", async () => {
  const { peer, conn } = await begin();
  const pieces = copyTo(conn, OUT)[Symbol.asyncIterator]();
  const first = pieces.next();
  await peer.receive();
  await peer.send(COPYING_OUT, row("a\n"));
  const { value } = await first;
  const second = pieces.next();
  await peer.send(row("b\n"));
  expect((await second).value.toString()).toBe("b\n");
  expect(value.toString()).toBe("a\n");
});

test("a reader that leaves waits a moment, and then has the server stopped", async () => {
  const { peer, conn, clock, server } = await begin();
  const pieces = copyTo(conn, OUT)[Symbol.asyncIterator]();
  const first = pieces.next();
  await peer.receive();
  await peer.send(COPYING_OUT, row("a\n"));
  await first;
  let isOver = false;
  const leaving = pieces.return?.().then(() => {
    isOver = true;
  });
  await clock.advance(CLOSE_GRACE_MS - 1);
  expect(server.count).toBe(1);
  await clock.advance(1);
  await takeCancel(server);
  expect(isOver).toBe(false);
  await peer.send(report("ERROR", "57014", "canceling statement"), ready());
  await leaving;
  await conn.resetSession();
  expect(conn.isValid()).toBe(true);
});

test("a reader that leaves while the rest is on its way has nobody stopped", async () => {
  const { peer, conn, clock, server } = await begin();
  const pieces = copyTo(conn, OUT)[Symbol.asyncIterator]();
  const first = pieces.next();
  await peer.receive();
  await peer.send(COPYING_OUT, row("a\n"));
  await first;
  const leaving = pieces.return?.();
  await peer.send(row("b\n"), DONE);
  await leaving;
  await clock.advance(CLOSE_GRACE_MS * 2);
  expect(server.count).toBe(1);
  expect(clock.pendingTimerCount).toBe(0);
  expect(conn.resetSession()).toBeUndefined();
});

test("rows that are malformed lose the connection", async () => {
  for (const bad of ["a\tb\n", "a", ""]) {
    const { peer, conn, losses } = await begin();
    const rows = copyTo(conn, { query: "SELECT 1" }).rows()[Symbol.asyncIterator]();
    const reading = errorOf(rows.next());
    await peer.receiveUntil("S");
    await peer.send(
      message("1"),
      message("t", int16(0)),
      message("T", int16(1), "v", [
        ...int32(0),
        ...int16(0),
        ...int32(25),
        ...int16(-1),
        ...int32(-1),
        ...int16(0),
      ]),
      ready(),
    );
    await peer.receive();
    await peer.send(COPYING_OUT, row(bad));
    expect(codeOf(await reading)).toBe("CONNECTION_LOST");
    expect(losses.map(codeOf)).toEqual(["PROTOCOL_ERROR"]);
  }
});

test("a source that never ends lets the rest of the process have its turn", async () => {
  const { peer, conn, clock } = await begin();
  const controller = new AbortController();
  let given = 0;
  const endless = (function* () {
    for (; ; given++) yield Buffer.alloc(64 * 1024);
  })();
  const reason = new Error("enough");
  const copying = errorOf(copyFrom(conn, "COPY t FROM STDIN", endless, controller));
  await peer.receive();
  await peer.send(COPYING_IN);
  // A megabyte, which the network takes at once, and more would follow.
  for (let i = 0; i < 16; i++) await peer.receive();
  expect(given).toBeLessThan(20);
  controller.abort(reason);
  await clock.settle();
  expect(await copying).toBe(reason);
});

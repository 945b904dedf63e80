// A connection and a server that misbehaves in every way that a real one rarely does. Time is
// virtual.

import { describe, expect, test } from "vitest";
import { isForebayError } from "../../../../packages/forebay/src/base/errors.ts";
import { BadConnError } from "../../../../packages/forebay/src/driver/errors.ts";
import {
  ConnectionLostError,
  postgres,
  ProtocolError,
} from "../../../../packages/forebay/src/postgres/index.ts";
import { VirtualClock } from "../../../../packages/forebay/src/testing/virtual-clock.ts";
import { begin, codeOf, errorOf, listen, optionsFor, takeCancel } from "./fake-server.ts";
import {
  complete,
  dataRow,
  int16,
  int32,
  message,
  ready,
  reply,
  report,
  rowDescription,
  welcome,
} from "./messages.ts";

/** Resolves when `check` holds; it is asked whenever the event loop has turned. */
async function until(clock: VirtualClock, check: () => boolean): Promise<void> {
  while (!check()) await clock.settle();
}

describe("an idle connection", () => {
  test.each<[string, Buffer]>([
    ["a row", dataRow(["1"])],
    ["a second readiness", ready()],
    ["the first byte of an error", Buffer.from("E")],
    ["the first byte of nonsense", Buffer.from("?")],
    ["a fatal error", report("FATAL", "57P01", "going down")],
    ["an error that is not fatal", report("ERROR", "57014", "cancelled")],
  ])("is lost with %s, is told so once, and is hung up", async (_name, bytes) => {
    const { peer, conn, clock, losses } = await begin();
    await peer.send(bytes);
    await until(clock, () => losses.length > 0);
    expect(conn.isValid()).toBe(false);
    await peer.closed;
    expect(losses).toHaveLength(1);
    expect(await errorOf(conn.query("SELECT 1", []))).toBeInstanceOf(BadConnError);
    await conn.close();
    expect(losses).toHaveLength(1);
  });

  test("says that it is gone when it is lost, and as soon as it is to be closed", async () => {
    const lost = await begin();
    expect(lost.conn.gone.aborted).toBe(false);
    lost.peer.socket.end();
    await until(lost.clock, () => lost.conn.gone.aborted);
    expect(lost.conn.gone.reason).toBe(lost.losses[0]);
    const { conn } = await begin();
    const closing = conn.close();
    expect(conn.gone.reason).toBeInstanceOf(ConnectionLostError);
    await closing;
  });

  test("is lost when the server hangs up", async () => {
    const { peer, conn, clock, losses } = await begin();
    peer.socket.end();
    await until(clock, () => losses.length > 0);
    expect(losses[0]).toBeInstanceOf(ConnectionLostError);
    expect(conn.isValid()).toBe(false);
  });

  test("is lost when the server resets it", async () => {
    const { peer, clock, losses } = await begin();
    peer.socket.resetAndDestroy();
    await until(clock, () => losses.length > 0);
    expect(losses).toHaveLength(1);
  });

  test("puts up with notices, notifications and parameters, in pieces, too", async () => {
    const notices: unknown[] = [];
    const { peer, conn, losses } = await begin({ onNotice: (notice) => notices.push(notice) });
    const asides = Buffer.concat([
      report("NOTICE", "00000", "look", "N"),
      message("A", int32(1), "c", "p"),
      message("S", "TimeZone", "UTC"),
    ]);
    for (const byte of asides) await peer.send(Buffer.from([byte]));
    const answer = conn.query("SELECT 1", []);
    await peer.receive();
    await peer.send(reply("x"));
    expect((await answer).rows).toEqual([{ v: "x" }]);
    expect([notices.length, losses.length, conn.isValid()]).toEqual([1, 0, true]);
    expect(conn.serverParameter("TimeZone")).toBe("UTC");
  });
});

describe("a request", () => {
  test("whose connection breaks before anything is written is nobody's loss", async () => {
    const { peer, conn, losses } = await begin();
    peer.socket.resetAndDestroy();
    // Asked for and closed in one turn: nothing has gone out.
    const asked = errorOf(conn.query("SELECT 1", []));
    const closing = conn.close();
    expect(await asked).toBeInstanceOf(BadConnError);
    await closing;
    expect(losses).toEqual([]);
  });

  test("whose connection breaks afterwards has an outcome that is not known", async () => {
    const { peer, conn, losses } = await begin();
    const asked = errorOf(conn.query("SELECT 1", []));
    await peer.receive();
    await peer.send(report("FATAL", "57P01", "going down"));
    const error = await asked;
    expect(error).toBeInstanceOf(ConnectionLostError);
    expect(isForebayError(error) && error.retryable).toBe(false);
    expect(codeOf((error as Error).cause)).toBe("57P01");
    expect(codeOf(losses[0])).toBe("57P01");
  });

  test("that the server has refused stays refused when the connection breaks", async () => {
    const { peer, conn } = await begin();
    const asked = errorOf(conn.query("SELECT 1", []));
    await peer.receive();
    await peer.send(report("ERROR", "42601", "syntax"));
    peer.socket.end();
    expect(codeOf(await asked)).toBe("42601");
  });

  test("that is not answered in order ends the connection", async () => {
    const { peer, conn, losses } = await begin();
    const asked = errorOf(conn.query("SELECT 1", []));
    await peer.receive();
    await peer.send(dataRow(["1"]));
    const error = await asked;
    expect(error).toBeInstanceOf(ConnectionLostError);
    expect((error as Error).cause).toBeInstanceOf(ProtocolError);
    expect(losses).toHaveLength(1);
    await peer.closed;
  });

  test("longer than is allowed is not taken in", async () => {
    const { peer, conn } = await begin({ maxMessageBytes: 1000 });
    const asked = errorOf(conn.query("SELECT 1", []));
    await peer.receive();
    await peer.send(rowDescription([["v", 25]]), dataRow(["x".repeat(1000)]));
    expect(((await asked) as Error).cause).toBeInstanceOf(ProtocolError);
  });

  test("goes out in one piece with the others of its turn", async () => {
    const { peer, conn } = await begin();
    let chunks = 0;
    peer.socket.on("data", () => chunks++);
    const answers = Promise.all([
      conn.query("SELECT $1", ["1"]),
      conn.query("SELECT 2", []),
      conn.query("SELECT $1", ["3"]),
    ]);
    // The first two are to be kept; of the third it is not known yet what is kept.
    expect(await peer.receiveUntil("S")).toBe("PDBES");
    expect(await peer.receiveUntil("S")).toBe("PDBES");
    expect(await peer.receiveUntil("S")).toBe("PBDES");
    expect(chunks).toBe(1);
    const extended = Buffer.concat([message("1"), message("2")]);
    await peer.send(extended, reply("1"), extended, reply("2"), extended, reply("3"));
    expect((await answers).map((answer) => answer.rows)).toEqual([
      [{ v: "1" }],
      [{ v: "2" }],
      [{ v: "3" }],
    ]);
  });

  test("of a prepared statement takes Bind, Execute and Sync, and results in binary", async () => {
    const { peer, conn } = await begin();
    const preparing = conn.prepare("SELECT $1::int4 AS n");
    expect(await peer.receiveUntil("S")).toBe("PDS");
    await peer.send(
      message("1"),
      message("t", int16(1), int32(23)),
      rowDescription([["n", 23]]),
      ready(),
    );
    const stmt = await preparing;
    const answer = stmt.query([5]);
    const bind = await peer.receive();
    expect(bind?.type).toBe("B");
    expect(bind?.body.subarray(-4)).toEqual(Buffer.from([0, 1, 0, 1]));
    expect(await peer.receiveUntil("S")).toBe("ES");
    const row = message("D", int16(1), int32(4), int32(5));
    await peer.send(message("2"), row, complete("SELECT 1"), ready());
    expect((await answer).rows).toEqual([{ n: 5 }]);
    await stmt.close();
    const ping = conn.ping();
    expect(await peer.receiveUntil("Q")).toBe("CQ");
    await peer.send(message("3"), message("I"), ready());
    await ping;
  });
});

describe("a batch", () => {
  test.each<[string, readonly Buffer[]]>([
    ["too few", []],
    ["too many", [complete("SELECT 1"), complete("SELECT 1")]],
  ])("for which the server gives %s answers costs the connection", async (_name, rest) => {
    const { peer, conn, losses } = await begin();
    const answer = errorOf(conn.pipeline([{ sql: "SELECT 1 AS v" }, { sql: "SELECT 2 AS v" }]));
    await peer.receiveUntil("S");
    await peer.send(rowDescription([["v", 25]]), dataRow(["1"]), complete("SELECT 1"));
    await peer.send(...rest, ready());
    expect(await answer).toBeInstanceOf(ConnectionLostError);
    expect(losses).toHaveLength(1);
  });
});

describe("an aborted call", () => {
  test("asks the server to stop, and the next call waits for both ends of that", async () => {
    const { server, peer, conn, clock } = await begin();
    const abort = new AbortController();
    const asked = errorOf(conn.query("SELECT 1", [], { signal: abort.signal }));
    await peer.receive();
    abort.abort("stop");
    expect(await asked).toBe("stop");
    let isReset = false;
    const reset = conn.resetSession()?.then(() => {
      isReset = true;
    });
    const canceller = await server.accept();
    const request = await canceller.receive("startup");
    expect(request?.body).toEqual(Buffer.from([...int32(80877102), ...int32(7), ...int32(99)]));
    await peer.send(report("ERROR", "57014", "cancelled"), ready());
    await clock.settle();
    await clock.settle();
    // The answer is here, but the other connection is still open: the cancel may be on its way.
    expect(isReset).toBe(false);
    canceller.socket.end();
    await reset;
    expect(isReset).toBe(true);
    expect(clock.pendingTimerCount).toBe(0);
  });

  test("is not cancelled any more when its answer is there first", async () => {
    const { server, peer, conn } = await begin();
    const abort = new AbortController();
    const asked = errorOf(conn.query("SELECT 1", [], { signal: abort.signal }));
    await peer.receive();
    await peer.send(reply("1"));
    abort.abort("stop");
    expect(await asked).toBe("stop");
    const canceller = await server.accept();
    await Promise.all([conn.resetSession(), canceller.closed]);
    expect(conn.isValid()).toBe(true);
  });

  test("that is not settled in time costs the connection", async () => {
    const { server, peer, conn, clock, losses } = await begin();
    const abort = new AbortController();
    const asked = errorOf(conn.query("SELECT 1", [], { signal: abort.signal }));
    await peer.receive();
    abort.abort("stop");
    await asked;
    await takeCancel(server);
    const next = errorOf(conn.query("SELECT 2", []));
    const reset = errorOf(conn.resetSession() ?? Promise.resolve());
    await clock.advance(4999);
    expect(conn.isValid()).toBe(true);
    await clock.advance(1);
    expect(await next).toBeInstanceOf(BadConnError);
    expect(await reset).toBeInstanceOf(BadConnError);
    expect([conn.isValid(), losses.length]).toEqual([false, 1]);
    await peer.closed;
  });

  test("whose cancel request may or may not have arrived costs the connection", async () => {
    const { server, peer, conn, clock, losses } = await begin();
    const abort = new AbortController();
    const asked = errorOf(conn.query("SELECT 1", [], { signal: abort.signal }));
    await peer.receive();
    abort.abort("stop");
    await asked;
    const canceller = await server.accept();
    await canceller.receive("startup");
    canceller.socket.resetAndDestroy();
    await until(clock, () => losses.length > 0);
    expect(conn.isValid()).toBe(false);
  });

  test("behind others does not stop them", async () => {
    const { server, peer, conn, clock } = await begin();
    const abort = new AbortController();
    const first = conn.query("SELECT 1", []);
    const second = errorOf(conn.query("SELECT 2", [], { signal: abort.signal }));
    await peer.receive();
    await peer.receive();
    abort.abort("stop");
    expect(await second).toBe("stop");
    await peer.send(reply("1"), reply("2"));
    expect((await first).rows).toEqual([{ v: "1" }]);
    await conn.resetSession();
    await clock.settle();
    expect(server.count).toBe(1);
  });
});

describe("close", () => {
  test("says goodbye and waits for the server to hang up", async () => {
    const { peer, conn, clock } = await begin();
    const closing = conn.close();
    expect((await peer.receive())?.type).toBe("X");
    await closing;
    await peer.closed;
    expect(clock.pendingTimerCount).toBe(0);
  });

  test("does not wait long for a server that does not hang up", async () => {
    const server = await listen();
    const clock = new VirtualClock();
    const { signal } = new AbortController();
    const connecting = postgres(optionsFor(server, clock)).connect({ signal, onLost: () => {} });
    const peer = await server.accept();
    peer.socket.allowHalfOpen = true;
    await peer.receive("startup");
    await peer.send(welcome());
    const conn = await connecting;
    let isClosed = false;
    const closing = conn.close().then(() => {
      isClosed = true;
    });
    await peer.receive();
    await clock.settle();
    expect(isClosed).toBe(false);
    await clock.advance(1000);
    await closing;
    expect(clock.pendingTimerCount).toBe(0);
  });

  test("in the middle of a stream ends the stream", async () => {
    const { server, peer, conn, losses } = await begin();
    const opening = conn.stream("SELECT 1", []);
    await peer.receiveUntil("E");
    await peer.send(message("1"), message("2"), rowDescription([["v", 25]]));
    const rows = await opening;
    const next = errorOf(rows.next());
    const closing = conn.close();
    expect((await takeCancel(server)).readInt32BE(0)).toBe(80877102);
    await closing;
    expect(await next).toBeInstanceOf(ConnectionLostError);
    await rows.close();
    expect(losses).toEqual([]);
  });
});

describe("commit", () => {
  test("that was sent on a connection which then broke has an unknown outcome", async () => {
    const { peer, conn } = await begin();
    const committing = errorOf(conn.commit());
    await peer.receive();
    peer.socket.end();
    const error = await committing;
    expect(codeOf(error)).toBe("OUTCOME_UNKNOWN");
    expect((error as Error).cause).toBeInstanceOf(ConnectionLostError);
  });

  test("is never cancelled", async () => {
    const { server, peer, conn } = await begin();
    const abort = new AbortController();
    const committing = errorOf(conn.commit({ signal: abort.signal }));
    await peer.receive();
    abort.abort("stop");
    expect(codeOf(await committing)).toBe("OUTCOME_UNKNOWN");
    await peer.send(complete("COMMIT"), ready());
    await conn.resetSession();
    expect(server.count).toBe(1);
  });

  test("that the server turned into a rollback says so", async () => {
    const { peer, conn } = await begin();
    const committing = errorOf(conn.commit());
    await peer.receive();
    await peer.send(complete("ROLLBACK"), ready());
    expect(codeOf(await committing)).toBe("COMMIT_ROLLED_BACK");
  });
});

describe("a stream", () => {
  test("asks for no more rows than are read", async () => {
    const { peer, conn, clock } = await begin({ fetchRowsMax: 2 });
    const opening = conn.stream("SELECT v", []);
    expect(await peer.receiveUntil("E")).toBe("PBDHE");
    expect((await peer.receive())?.type).toBe("H");
    const portion = [dataRow(["1"]), dataRow(["2"]), message("s")];
    await peer.send(message("1"), message("2"), rowDescription([["v", 25]]), ...portion);
    const rows = await opening;
    expect(await rows.next()).toEqual([{ v: "1" }, { v: "2" }]);
    await clock.settle();
    const second = rows.next();
    const execute = await peer.receive();
    expect(execute?.body).toEqual(Buffer.from([0, ...int32(2)]));
    expect((await peer.receive())?.type).toBe("H");
    await peer.send(dataRow(["3"]), complete("SELECT 1"));
    expect(await second).toEqual([{ v: "3" }]);
    expect((await peer.receive())?.type).toBe("S");
    await peer.send(ready());
    expect(await rows.next()).toBeUndefined();
    expect(rows.rowsAffected).toBe(3);
  });

  test("whose server keeps to the rules badly ends the connection", async () => {
    const { peer, conn, losses } = await begin();
    const opening = conn.stream("SELECT v", []);
    await peer.receiveUntil("E");
    await peer.send(message("1"), message("2"), rowDescription([["v", 25]]), message("s"));
    const error = await errorOf(opening.then((rows) => rows.next()));
    expect(error).toBeInstanceOf(ConnectionLostError);
    expect(losses).toHaveLength(1);
  });

  test("that is closed while the server works asks it to stop after a moment", async () => {
    const { server, peer, conn, clock } = await begin();
    const opening = conn.stream("SELECT v", []);
    await peer.receiveUntil("E");
    await peer.send(message("1"), message("2"), rowDescription([["v", 25]]));
    const rows = await opening;
    const closing = rows.close();
    expect(await peer.receiveUntil("S")).toBe("HS");
    await clock.advance(199);
    expect(server.count).toBe(1);
    await clock.advance(1);
    await takeCancel(server);
    await peer.send(report("ERROR", "57014", "cancelled"), ready());
    await closing;
    await conn.resetSession();
    expect([conn.isValid(), clock.pendingTimerCount]).toEqual([true, 0]);
  });
});

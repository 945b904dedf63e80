import { getEventListeners } from "node:events";
import { describe, expect, test } from "vitest";
import { BugError } from "../../../packages/forebay/src/base/assert.ts";
import {
  FakeConn,
  FakeConnector,
  type FakeOutcome,
  type FakeScript,
} from "../../../packages/forebay/src/testing/fake-connector.ts";
import { VirtualClock } from "../../../packages/forebay/src/testing/virtual-clock.ts";

function bench(script?: FakeScript) {
  const clock = new VirtualClock();
  const connector = new FakeConnector(clock, script);
  const lost: unknown[] = [];
  const controller = new AbortController();
  const connect = () =>
    connector.connect({ signal: controller.signal, onLost: (reason) => lost.push(reason) });
  return { clock, connector, lost, controller, connect };
}

/** How a promise stands, after all that can settle has settled. */
async function stateOf(clock: VirtualClock, promise: Promise<unknown>): Promise<string> {
  let state = "pending";
  promise.then(
    () => {
      state = "resolved";
    },
    (reason: unknown) => {
      state = `rejected: ${String(reason)}`;
    },
  );
  await clock.settle();
  return state;
}

const only = (call: string, outcome: FakeOutcome): FakeScript => {
  return (asked) => (asked === call ? outcome : "ok");
};

describe("a dial", () => {
  test("gives connections with numbers from 1, and counts what the server would", async () => {
    const { connector, connect, clock } = bench();
    await clock.advance(7);
    const dialing = connect();
    expect([connector.dialing, connector.dialCount, connector.serverCount]).toEqual([1, 1, 1]);
    const first = await dialing;
    expect(first).toBeInstanceOf(FakeConn);
    expect([first.id, first.openedAtMs]).toEqual([1, 7]);
    expect((await connect()).id).toBe(2);
    expect([connector.dialing, connector.open.size, connector.serverCount]).toEqual([0, 2, 2]);
    expect(connector.name).toBe("fake");
  });

  test("fails at once or later, as the script says, and leaves nothing open", async () => {
    const refused = bench(only("connect", { fail: "refused" }));
    await expect(refused.connect()).rejects.toBe("refused");
    expect(refused.connector.serverCount).toBe(0);
    const late = bench(only("connect", { fail: "refused late", afterMs: 10 }));
    const dial = late.connect();
    expect(await stateOf(late.clock, dial)).toBe("pending");
    await late.clock.advance(10);
    expect(await stateOf(late.clock, dial)).toBe("rejected: refused late");
  });

  test("takes as long as the script says", async () => {
    const { connect, clock } = bench(only("connect", { afterMs: 10 }));
    const dial = connect();
    await clock.advance(9);
    expect(await stateOf(clock, dial)).toBe("pending");
    await clock.advance(1);
    expect(await stateOf(clock, dial)).toBe("resolved");
  });

  test("that never ends does so when its signal is aborted, and says after how long", async () => {
    const { connector, connect, clock, controller } = bench(only("connect", "never"));
    const afterMs: number[] = [];
    const dial = connect();
    connector.onDialAborted = (ms) => afterMs.push(ms);
    await clock.advance(10);
    controller.abort("unwanted");
    expect(await stateOf(clock, dial)).toBe("rejected: unwanted");
    expect(afterMs).toEqual([10]);
    expect(connector.serverCount).toBe(0);
  });

  test("that has ended is not told of an abort any more", async () => {
    const { connector, connect, controller } = bench();
    let told = 0;
    connector.onDialAborted = () => {
      told += 1;
    };
    await connect();
    expect(getEventListeners(controller.signal, "abort")).toEqual([]);
    controller.abort();
    expect(told).toBe(0);
  });

  test("after the connector was closed is a breach of the contract", async () => {
    const { connector, connect } = bench();
    connector.close();
    expect(connector.closed).toBe(true);
    await expect(connect()).rejects.toThrow(BugError);
  });

  test("one of thousands while no time passes is a breach, and is remembered", async () => {
    const { connector, connect, clock } = bench();
    for (let count = 0; count < 5000; count++) void connect();
    await clock.advance(1);
    for (let count = 0; count < 4000; count++) void connect();
    expect(connector.breach).toBeUndefined();
    for (let count = 0; count < 1000; count++) void connect();
    await expect(connect()).rejects.toThrow("dialed without end");
    expect(connector.breach).toBeInstanceOf(BugError);
  });

  test("may be tried again or not, as the test says", () => {
    const { connector } = bench();
    expect(connector.shouldRetryConnect()).toBe(true);
    connector.mayRetry = false;
    expect(connector.shouldRetryConnect()).toBe(false);
  });
});

describe("a connection", () => {
  test("is valid as the script says, unless it is lost", async () => {
    expect((await bench().connect()).isValid()).toBe(true);
    expect((await bench(only("isValid", { fail: "x" })).connect()).isValid()).toBe(false);
    const conn = await bench().connect();
    conn.lose("ended");
    expect([conn.isValid(), conn.isLost]).toEqual([false, true]);
  });

  test("has nothing to reset where the script says ok", async () => {
    const conn = await bench().connect();
    expect(conn.resetSession()).toBeUndefined();
    expect(conn.isResetting).toBe(false);
  });

  test("says while it is being reset, whatever comes of it", async () => {
    for (const [outcome, state] of [
      [{ afterMs: 10 }, "resolved"],
      [{ fail: "no", afterMs: 10 }, "rejected: no"],
    ] as const) {
      const { connect, clock } = bench(only("resetSession", outcome));
      const conn = await connect();
      const reset = Promise.resolve(conn.resetSession());
      expect(await stateOf(clock, reset)).toBe("pending");
      expect(conn.isResetting).toBe(true);
      await clock.advance(10);
      expect(await stateOf(clock, reset)).toBe(state);
      expect(conn.isResetting).toBe(false);
    }
  });

  test("is at the server until its close has ended, well or not", async () => {
    for (const outcome of [{ afterMs: 10 }, { fail: "no", afterMs: 10 }]) {
      const { connector, connect, clock } = bench(only("close", outcome));
      const conn = await connect();
      const closing = conn.close();
      expect([conn.isClosing, connector.serverCount]).toEqual([true, 1]);
      expect(await stateOf(clock, closing)).toBe("pending");
      await clock.advance(10);
      expect(await stateOf(clock, closing)).not.toBe("pending");
      expect(connector.serverCount).toBe(0);
    }
  });

  test("tells of its loss once, and not after close", async () => {
    const { connect, lost } = bench();
    const first = await connect();
    first.lose("ended");
    first.lose("again");
    const second = await connect();
    await second.close();
    second.lose("too late");
    expect(lost).toEqual(["ended"]);
    expect(second.isLost).toBe(false);
  });

  test("takes no call after close", async () => {
    const conn = await bench().connect();
    await conn.close();
    expect(() => conn.isValid()).toThrow("isValid after close");
    expect(() => conn.resetSession()).toThrow("resetSession after close");
    await expect(conn.close()).rejects.toThrow("close after close");
  });
});

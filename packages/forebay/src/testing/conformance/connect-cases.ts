// Cases of `Connector.connect` and `DriverConn.close`.

import { trackedSignal } from "../tracked-signal.ts";
import { check, describe, need, skipUnless } from "./bench.ts";
import type { CaseSpec } from "./case.ts";

/** How connections begin and end. */
export const connectCases: readonly CaseSpec[] = [
  {
    name: "connects, and answers a statement",
    rule: "Connector.connect makes one connection, and name says to what, for messages",
    run: async (bench) => {
      check(bench.connector.name.trim() !== "", "the connector has no name");
      await bench.answers(await bench.connect(), "on a new connection");
    },
  },
  {
    name: "makes several connections at once, each of them one of its own",
    rule: "Connector.connect is called several times at once",
    run: async (bench) => {
      const sessions = await Promise.all([bench.connect(), bench.connect(), bench.connect()]);
      const conns = new Set(sessions.map(({ conn }) => conn));
      check(conns.size === 3, `three connects gave ${conns.size} connections`);
      await Promise.all(
        sessions.map((session) => bench.answers(session, "beside two other connections")),
      );
      const [first, ...others] = sessions;
      if (first !== undefined) await bench.close(first);
      for (const other of others) await bench.answers(other, "after another was closed");
    },
  },
  {
    name: "does not connect with a signal that was aborted before",
    rule:
      "ConnectOptions.signal: once it is aborted the connector must reject, with signal.reason, " +
      "and leave nothing open",
    run: async (bench) => {
      const before = await bench.openCount();
      const { signal, abort } = trackedSignal();
      const reason = new Error("not wanted");
      abort(reason);
      const error = await bench.rejects("connect with an aborted signal", () => bench.dial(signal));
      check(error === reason, `it rejected with ${describe(error)}, not with signal.reason`);
      if (before !== undefined) await bench.untilOpen(before, "after an aborted connect");
    },
  },
  {
    name: "gives a connect up when its signal is aborted",
    rule:
      "ConnectOptions.signal: once it is aborted the connector must reject, with signal.reason, " +
      "and leave nothing open",
    run: async (bench) => {
      const silent = need(bench.dialect.silent, "the dialect has no connector to a silent server");
      for (const turns of [0, 1, 5]) {
        const { signal, abort } = trackedSignal();
        const reason = new Error("takes too long");
        const error = await bench.rejects("connect to a server that says nothing", () => {
          const dialing = bench.dial(signal, silent);
          void bench.turns(turns).then(() => abort(reason));
          return dialing;
        });
        check(error === reason, `it rejected with ${describe(error)}, not with signal.reason`);
      }
    },
  },
  {
    name: "leaves nothing open when a connect is aborted on its way",
    rule: "ConnectOptions.signal: an aborted connect leaves nothing open",
    run: async (bench) => {
      skipUnless(bench.dialect.openCount !== undefined, "the dialect has no openCount");
      const before = (await bench.openCount()) ?? 0;
      for (const turns of [0, 1, 2, 4, 8, 16]) {
        const { signal, abort } = trackedSignal();
        const reason = new Error("not wanted any more");
        const outcome = await bench.outcome("connect whose signal is aborted", () => {
          const dialing = bench.dial(signal);
          void bench.turns(turns).then(() => abort(reason));
          return dialing;
        });
        // It may have been made before.
        if (outcome.ok) await bench.close(outcome.value);
        else check(outcome.error === reason, `it rejected with ${describe(outcome.error)}`);
      }
      await bench.untilOpen(before, "after aborted connects");
    },
  },
  {
    name: "rejects a connect that the server refuses, and says whether to try again",
    rule:
      "Connector.connect rejects; shouldRetryConnect is false for what only a person can mend. " +
      "ConnectOptions.onLost is never called before connect has resolved",
    run: async (bench) => {
      const { connector, mayRetry } = need(
        bench.dialect.refusing,
        "the dialect has no connector that is refused",
      );
      const lost: unknown[] = [];
      const { signal } = trackedSignal();
      const error = await bench.rejects("connect to a server that refuses", () =>
        connector.connect({ signal, onLost: (reason) => lost.push(reason) }),
      );
      await bench.turns(3);
      check(lost.length === 0, "onLost was called for a connection that was never made");
      const says = connector.shouldRetryConnect?.(error) ?? true;
      check(says === mayRetry, `shouldRetryConnect says ${String(says)} of ${describe(error)}`);
    },
  },
  {
    name: "leaves the signal of connect alone once connected",
    rule: "No listener is left on a signal when the operation has ended",
    run: async (bench) => {
      const tracked = trackedSignal();
      const session = await bench.connect(tracked.signal);
      await bench.turns(2);
      const stacks = tracked.listenedAt.join("\n");
      check(stacks === "", `connect still listens to its signal:\n${stacks}`);
      tracked.abort(new Error("long after connect"));
      await bench.turns(2);
      await bench.answers(session, "after the signal of its connect was aborted");
      check(session.lost.length === 0, "an abort after connect made onLost be called");
    },
  },
  {
    name: "never reports a connection as lost that has not been handed over",
    rule: "ConnectOptions.onLost is never called before connect has resolved",
    run: async (bench) => {
      for (let i = 0; i < 3; i++) {
        const { lost } = await bench.connect();
        check(lost.length === 0, "onLost was called before connect had resolved");
      }
    },
  },
];

/** How connections end. */
export const closeCases: readonly CaseSpec[] = [
  {
    name: "closes an idle connection, and resolves when it is gone",
    rule: "PooledConn.close resolves once the resource is really gone",
    run: async (bench) => {
      const before = await bench.openCount();
      const session = await bench.connect();
      await bench.answers(session, "on a new connection");
      await bench.close(session);
      if (before !== undefined) await bench.untilOpen(before, "after close");
    },
  },
  {
    name: "closes in the middle of a call, which is then rejected",
    rule: "PooledConn.close closes for good, also in the middle of a call",
    run: async (bench) => {
      const session = await bench.connect();
      const running = bench.rejects("a slow statement whose connection is closed", () =>
        session.conn.query(bench.dialect.slow, []),
      );
      running.catch(() => undefined);
      await bench.pause(20);
      await bench.close(session);
      await running;
    },
  },
  {
    name: "closes while rows are open",
    rule: "PooledConn.close may be called at any time",
    run: async (bench) => {
      const session = await bench.connect();
      const rows = await bench.does("stream", () =>
        session.conn.stream(bench.dialect.series(5000), []),
      );
      await bench.does("next", () => rows.next());
      await bench.close(session);
    },
  },
  {
    name: "closes within a transaction, which is rolled back",
    rule: "PooledConn.close ends the session, and what was not committed never happened",
    run: async (bench) => {
      await bench.makeTable();
      const session = await bench.connect();
      await bench.does("begin", () => session.conn.begin({}));
      await bench.does("insert", () => bench.insert(session, "never committed"));
      await bench.close(session);
      const count = await bench.count();
      check(count === 0, `${count} rows of a transaction that was never committed are there`);
    },
  },
  {
    name: "does not report a connection as lost that was closed",
    rule: "ConnectOptions.onLost is called only if close was not",
    run: async (bench) => {
      const sessions = await Promise.all([bench.connect(), bench.connect()]);
      const [idle, busy] = sessions;
      const running = bench.outcome("a slow statement whose connection is closed", () =>
        busy.conn.query(bench.dialect.slow, []),
      );
      running.catch(() => undefined);
      await bench.pause(20);
      await bench.close(idle);
      await bench.close(busy);
      await bench.pause(50);
      const called = sessions.filter(({ lost }) => lost.length > 0).length;
      check(called === 0, `onLost was called for ${called} connections that had been closed`);
      await running.catch(() => undefined);
    },
  },
];

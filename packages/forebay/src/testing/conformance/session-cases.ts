// Cases of the optional members `isValid`, `resetSession` and `ping`, which are found at run time.

import { trackedSignal } from "../tracked-signal.ts";
import { type Bench, check, describe, type Session, skipUnless } from "./bench.ts";
import type { CaseSpec } from "./case.ts";

/** What a connection does between two users. */
export const sessionCases: readonly CaseSpec[] = [
  {
    name: "is valid while nothing is wrong",
    rule: "PooledConn.isValid says at once, without asking the server, what is known by now",
    run: async (bench) => {
      const session = await bench.connect();
      const { conn } = session;
      skipUnless(conn.isValid !== undefined, "the connection has no isValid");
      const valid = (when: string): void => {
        const says: unknown = conn.isValid?.();
        check(says === true, `isValid gives ${describe(says)} ${when}, and should give true`);
      };
      valid("on a new connection");
      await bench.answers(session, "on a new connection");
      valid("after a query");
      await bench.does("begin", () => conn.begin({}));
      valid("in a transaction");
      await bench.does("rollback", () => conn.rollback());
      valid("after a transaction");
    },
  },
  {
    name: "has nothing to reset where nothing is open",
    rule: "PooledConn.resetSession gives undefined when there was nothing to do, the usual case",
    run: async (bench) => {
      const session = await bench.connect();
      const { conn } = session;
      skipUnless(conn.resetSession !== undefined, "the connection has no resetSession");
      const clean = (when: string): void => {
        check(conn.resetSession?.() === undefined, `resetSession has something to do ${when}`);
      };
      clean("on a new connection");
      await bench.answers(session, "on a new connection");
      clean("after a query");
      await bench.rejects("failing", () => conn.query(bench.dialect.failing, []));
      clean("after a statement that failed outside of a transaction");
      for (const how of ["commit", "rollback"] as const) {
        await bench.does("begin", () => conn.begin({}));
        await bench.does(how, () => conn[how]());
        clean(`after ${how}`);
      }
    },
  },
  {
    name: "ends an open transaction when the session is reset",
    rule: "PooledConn.resetSession ends an open transaction, whatever state it is in",
    run: async (bench) => {
      await bench.makeTable();
      const session = await bench.connect();
      const { conn } = session;
      skipUnless(conn.resetSession !== undefined, "the connection has no resetSession");
      for (const spoil of [undefined, bench.dialect.failing]) {
        await bench.does("begin", () => conn.begin({}));
        await bench.does("insert", () => bench.insert(session, "left open"));
        if (spoil !== undefined) await bench.rejects("failing", () => conn.query(spoil, []));
        await reset(bench, session);
        await bench.does("insert", () => bench.insert(session, "by the next user"));
        const count = await bench.count();
        check(count > 0, "after resetSession the connection is still in a transaction");
        check(count === 1, "resetSession committed what was left open");
        await bench.makeTable();
      }
    },
  },
  {
    name: "waits for what an abort left unsettled when the session is reset",
    rule: "PooledConn.resetSession waits for what an abort left unsettled",
    run: async (bench) => {
      const session = await bench.connect();
      const { conn } = session;
      skipUnless(conn.resetSession !== undefined, "the connection has no resetSession");
      const { signal, abort } = trackedSignal();
      const stopped = bench.rejects("a slow statement whose signal was aborted", () =>
        conn.query(bench.dialect.slow, [], { signal }),
      );
      stopped.catch(() => undefined);
      await bench.pause(20);
      abort(new Error("enough"));
      await stopped;
      if (conn.isValid?.() === false) return;
      await reset(bench, session);
      if (conn.isValid?.() === false) return;
      check(conn.resetSession?.() === undefined, "resetSession has something to do right after it");
      await bench.answers(session, "after resetSession");
    },
  },
  {
    name: "rolls back a transaction that was aborted when the session is reset",
    rule: "PooledConn.resetSession waits for what an abort left, then ends an open transaction",
    run: async (bench) => {
      await bench.makeTable();
      const session = await bench.connect();
      const { conn } = session;
      skipUnless(conn.resetSession !== undefined, "the connection has no resetSession");
      await bench.does("begin", () => conn.begin({}));
      await bench.does("insert", () => bench.insert(session, "left open"));
      const { signal, abort } = trackedSignal();
      const stopped = bench.rejects("a slow statement whose signal was aborted", () =>
        conn.query(bench.dialect.slow, [], { signal }),
      );
      stopped.catch(() => undefined);
      await bench.pause(20);
      abort(new Error("enough"));
      await stopped;
      if (conn.isValid?.() === false) return;
      await reset(bench, session);
      if (conn.isValid?.() === false) return;
      await bench.does("insert", () => bench.insert(session, "by the next user"));
      const count = await bench.count();
      check(count === 1, `after resetSession and one insert there are ${count} rows, not 1`);
    },
  },
  {
    name: "answers a ping",
    rule: "DriverConn.ping proves that the server answers",
    run: async (bench) => {
      const session = await bench.connect();
      skipUnless(session.conn.ping !== undefined, "the connection has no ping");
      await bench.does("ping", async () => session.conn.ping?.());
      await bench.answers(session, "after a ping");
    },
  },
];

async function reset(bench: Bench, { conn }: Session): Promise<void> {
  await bench.does("resetSession", async () => conn.resetSession?.());
}

// Cases of `OperationOptions.signal`: before, during and after each operation, and what an abort
// leaves behind.

import type { DriverConn, OperationOptions } from "../../driver/driver.ts";
import { isForebayError } from "../../base/errors.ts";
import { trackedSignal } from "../tracked-signal.ts";
import { type Bench, Breach, check, describe, skipUnless } from "./bench.ts";
import type { CaseSpec } from "./case.ts";

/** An operation that takes a signal. */
interface Operation {
  readonly name: string;
  /** Does what must come before, and gives the call. */
  readonly ready: (
    bench: Bench,
    conn: DriverConn,
  ) => Promise<(options: OperationOptions) => Promise<unknown>>;
}

async function ready(
  _bench: Bench,
  call: (options: OperationOptions) => Promise<unknown>,
): Promise<typeof call> {
  return call;
}

const OPERATIONS: readonly Operation[] = [
  {
    name: "query",
    ready: (bench, conn) => ready(bench, (o) => conn.query(bench.dialect.series(3), [], o)),
  },
  {
    name: "stream",
    ready: (bench, conn) => ready(bench, (o) => conn.stream(bench.dialect.series(3), [], o)),
  },
  {
    name: "prepare",
    ready: (bench, conn) => ready(bench, (o) => conn.prepare(bench.dialect.series(3), o)),
  },
  {
    name: "stmt.query",
    ready: async (bench, conn) => {
      const stmt = await bench.does("prepare", () => conn.prepare(bench.dialect.series(3)));
      return (o) => stmt.query([], o);
    },
  },
  {
    name: "stmt.stream",
    ready: async (bench, conn) => {
      const stmt = await bench.does("prepare", () => conn.prepare(bench.dialect.series(3)));
      return (o) => stmt.stream([], o);
    },
  },
  { name: "begin", ready: (bench, conn) => ready(bench, (o) => conn.begin({}, o)) },
  {
    name: "commit",
    ready: async (bench, conn) => {
      await bench.does("begin", () => conn.begin({}));
      return (o) => conn.commit(o);
    },
  },
  {
    name: "rollback",
    ready: async (bench, conn) => {
      await bench.does("begin", () => conn.begin({}));
      return (o) => conn.rollback(o);
    },
  },
  {
    name: "ping",
    ready: (bench, conn) => {
      skipUnless(conn.ping !== undefined, "the connection has no ping");
      return ready(bench, async (o) => conn.ping?.(o));
    },
  },
];

/** What runs until it is stopped. */
const SLOW: readonly Operation[] = [
  {
    name: "query",
    ready: (bench, conn) => ready(bench, (o) => conn.query(bench.dialect.slow, [], o)),
  },
  {
    name: "stream",
    ready: (bench, conn) =>
      ready(bench, async (o) => (await conn.stream(bench.dialect.slow, [], o)).next()),
  },
  {
    name: "stmt.query",
    ready: async (bench, conn) => {
      const stmt = await bench.does("prepare", () => conn.prepare(bench.dialect.slow));
      return (o) => stmt.query([], o);
    },
  },
  {
    name: "stmt.stream",
    ready: async (bench, conn) => {
      const stmt = await bench.does("prepare", () => conn.prepare(bench.dialect.slow));
      return async (o) => (await stmt.stream([], o)).next();
    },
  },
];

const abortedBefore = OPERATIONS.map(
  ({ name, ready }): CaseSpec => ({
    name: `rejects ${name} with the reason of a signal that was aborted before`,
    rule: "OperationOptions.signal: the operation rejects with signal.reason unchanged",
    run: async (bench) => {
      const session = await bench.connect();
      const call = await ready(bench, session.conn);
      for (const reason of [new Error("too late"), "a reason that is no Error"]) {
        const { signal, abort } = trackedSignal();
        abort(reason);
        const error = await bench.rejects(`${name} with an aborted signal`, () => call({ signal }));
        check(error === reason, `it rejected with ${describe(error)}, not with signal.reason`);
      }
      if (name === "commit" || name === "rollback") {
        await bench.does("rollback", () => session.conn.rollback());
      }
      await bench.answers(session, `after ${name} with an aborted signal`);
    },
  }),
);

const abortedDuring = SLOW.map(
  ({ name, ready }): CaseSpec => ({
    name: `stops ${name} when its signal is aborted`,
    rule:
      "OperationOptions.signal: the operation rejects with signal.reason, unchanged, without " +
      "waiting for the server. The next call on the connection waits until the work is settled, " +
      "or isValid is false",
    run: async (bench) => {
      for (const delayMs of [undefined, 0, 30]) {
        const session = await bench.connect();
        const call = await ready(bench, session.conn);
        const { signal, abort } = trackedSignal();
        const reason = new Error("enough");
        const stopped = bench.rejects(`a slow ${name} whose signal was aborted`, () =>
          call({ signal }),
        );
        stopped.catch(() => undefined);
        if (delayMs !== undefined) await bench.pause(delayMs);
        abort(reason);
        const error = await stopped;
        check(error === reason, `it rejected with ${describe(error)}, not with signal.reason`);
        await bench.answersOrIsInvalid(session, `right after a ${name} that was aborted`);
      }
    },
  }),
);

const otherCases: readonly CaseSpec[] = [
  {
    name: "does not carry out what was aborted before",
    rule: "OperationOptions.signal: an operation whose signal is aborted already is not begun",
    run: async (bench) => {
      await bench.makeTable();
      const session = await bench.connect();
      const { signal, abort } = trackedSignal();
      abort(new Error("too late"));
      const { insert } = bench.dialect.table;
      const stmt = await bench.does("prepare", () => session.conn.prepare(insert));
      await bench.outcome("an aborted insert", () => session.conn.query(insert, ["a"], { signal }));
      await bench.outcome("an aborted prepared insert", () => stmt.query(["b"], { signal }));
      await bench.does("begin", () => session.conn.begin({}));
      await bench.does("insert", () => bench.insert(session, "c"));
      await bench.outcome("an aborted commit", () => session.conn.commit({ signal }));
      await bench.does("rollback", () => session.conn.rollback());
      const count = await bench.count();
      check(count === 0, `${count} rows are there of operations aborted before they began`);
    },
  },
  {
    name: "stops rows between two portions when their signal is aborted",
    rule: "DriverRows.next rejects with signal.reason once the signal is aborted",
    run: async (bench) => {
      const session = await bench.connect();
      const { signal, abort } = trackedSignal();
      const reason = new Error("seen enough");
      const rows = await bench.does("stream", () =>
        session.conn.stream(bench.dialect.series(5000), [], { signal }),
      );
      abort(reason);
      const error = await bench.rejects("next with an aborted signal", () => rows.next());
      check(error === reason, `it rejected with ${describe(error)}, not with signal.reason`);
      await bench.does("closing rows that were aborted", () => rows.close());
      await bench.answersOrIsInvalid(session, "after rows that were aborted");
    },
  },
  {
    name: "keeps a prepared statement whose run was aborted",
    rule: "OperationOptions.signal stops the operation; the statement stays prepared",
    run: async (bench) => {
      const session = await bench.connect();
      const { conn } = session;
      const stmt = await bench.does("prepare", () => conn.prepare(bench.dialect.series(3)));
      for (const turns of [0, 1, 2]) {
        const { signal, abort } = trackedSignal();
        const run = bench.outcome("a prepared statement that is aborted", () =>
          stmt.query([], { signal }),
        );
        await bench.turns(turns);
        abort(new Error("enough"));
        await run;
        if (conn.isValid?.() === false) return;
        const { rows } = await bench.does("the prepared statement afterwards", () =>
          stmt.query([]),
        );
        check(rows.length === 3, `a prepared statement of 3 rows gave ${rows.length}`);
      }
    },
  },
  {
    name: "takes no notice of a signal that is aborted after the end",
    rule: "OperationOptions.signal stops the operation, and nothing that comes after it",
    run: async (bench) => {
      const session = await bench.connect();
      for (const { name, ready } of OPERATIONS) {
        if (name === "ping" && session.conn.ping === undefined) continue;
        const call = await ready(bench, session.conn);
        const { signal, abort } = trackedSignal();
        const result = await bench.does(name, () => call({ signal }));
        if (isRows(result)) await bench.readAll("next", result);
        abort(new Error("too late"));
        await bench.turns(1);
        if (name === "begin") await bench.does("rollback", () => session.conn.rollback());
        check(session.conn.isValid?.() ?? true, `an abort after ${name} made isValid false`);
        await bench.answers(session, `after ${name}, whose signal was aborted after its end`);
      }
      check(session.lost.length === 0, "an abort after the end made onLost be called");
    },
  },
  {
    name: "never lets an abort hit a later statement",
    rule:
      "A call may follow one that was aborted: the driver makes it wait until what stops the " +
      "first can hit nothing else",
    run: async (bench) => {
      let session = await bench.connect();
      for (let round = 0; round < bench.abortRounds; round++) {
        if (session.conn.isValid?.() === false) session = await bench.connect();
        const { conn } = session;
        const { signal, abort } = trackedSignal();
        const reason = new Error("enough");
        const sql = round % 4 === 0 ? bench.dialect.slow : bench.dialect.series(50);
        const running = bench.outcome("a statement that is aborted", () =>
          conn.query(sql, [], { signal }),
        );
        running.catch(() => undefined);
        await bench.turns(round % 6);
        abort(reason);
        const outcome = await running;
        check(
          outcome.ok || outcome.error === reason,
          `a statement that was aborted ended with ${outcome.ok ? "" : describe(outcome.error)}`,
        );
        // They take a while each, to be hit by what comes late.
        for (let i = 1; i <= 3; i++) {
          const next = await bench.outcome("a call after an aborted one", () =>
            conn.query(bench.dialect.series(5000), []),
          );
          if (next.ok) check(next.value.rows.length === 5000, "a call after an abort lost rows");
          else if (conn.isValid?.() === false) break;
          else throw new Breach(`call ${i} after an aborted one: ${describe(next.error)}`);
        }
      }
    },
  },
  {
    name: "ends a short operation that is aborted in one way or the other",
    rule: "OperationOptions.signal: an operation succeeds, or rejects with signal.reason",
    run: async (bench) => {
      const session = await bench.connect();
      const { conn } = session;
      for (const { name, ready } of OPERATIONS) {
        if (name === "commit" || (name === "ping" && conn.ping === undefined)) continue;
        const call = await ready(bench, conn);
        const { signal, abort } = trackedSignal();
        const reason = new Error("enough");
        const running = bench.outcome(`${name} that is aborted`, () => call({ signal }));
        running.catch(() => undefined);
        await Promise.resolve();
        abort(reason);
        const outcome = await running;
        if (!outcome.ok) {
          const how = describe(outcome.error);
          check(outcome.error === reason, `${name} that was aborted rejected with ${how}`);
        } else if (isRows(outcome.value)) {
          await bench.does("closing rows", () =>
            (outcome.value as { close(): Promise<void> }).close(),
          );
        }
        if (conn.isValid?.() === false) return;
        if (name === "begin" || name === "rollback") {
          await bench.does("rollback", () => conn.rollback());
        }
        await bench.answersOrIsInvalid(session, `after ${name} that was aborted`);
      }
    },
  },
  {
    name: "does not claim that a commit was stopped when it was not",
    rule:
      "DriverConn.commit rejects with OUTCOME_UNKNOWN when the signal is aborted after the " +
      "request was sent; with signal.reason only when it was not sent",
    run: async (bench) => {
      await bench.makeTable();
      for (const turns of [0, 1, 2, 3]) {
        const before = await bench.count();
        const session = await bench.connect();
        await bench.does("begin", () => session.conn.begin({}));
        await bench.does("insert", () => bench.insert(session, "perhaps"));
        const { signal, abort } = trackedSignal();
        const reason = new Error("impatient");
        const running = bench.outcome("a commit that is aborted", () =>
          session.conn.commit({ signal }),
        );
        running.catch(() => undefined);
        await (turns === 0 ? Promise.resolve() : bench.turns(turns));
        abort(reason);
        const outcome = await running;
        await bench.answersOrIsInvalid(session, "after a commit that was aborted");
        await bench.close(session);
        checkCommit(
          outcome.ok ? "committed" : outcome.error,
          reason,
          (await bench.count()) - before,
        );
      }
    },
  },
  {
    name: "leaves no listener on a signal",
    rule: "No listener is left on a signal when the operation has ended, however it ended",
    run: async (bench) => {
      const session = await bench.connect();
      const { conn } = session;
      for (const { name, ready } of OPERATIONS) {
        if (name === "ping" && conn.ping === undefined) continue;
        const call = await ready(bench, conn);
        await unheard(bench, `${name} that succeeded`, async (signal) => {
          const result = await call({ signal });
          if (isRows(result)) while ((await result.next()) !== undefined);
        });
        if (name === "begin") await bench.does("rollback", () => conn.rollback());
      }
      await unheard(bench, "query that failed", async (signal) => {
        await bench.rejects("failing", () => conn.query(bench.dialect.failing, [], { signal }));
      });
      await unheard(bench, "rows that were closed early", async (signal) => {
        const rows = await conn.stream(bench.dialect.series(5000), [], { signal });
        await rows.next();
        await rows.close();
      });
    },
  },
];

/** What signals do to operations. */
export const abortCases: readonly CaseSpec[] = [...abortedBefore, ...abortedDuring, ...otherCases];

async function unheard(
  bench: Bench,
  what: string,
  call: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const tracked = trackedSignal();
  await bench.does(what, () => call(tracked.signal));
  await bench.turns(1);
  const { listenerCount, listenedAt } = tracked;
  check(listenerCount === 0, `${what} still listens to its signal:\n${listenedAt.join("\n")}`);
}

function checkCommit(outcome: unknown, reason: unknown, rowCount: number): void {
  if (outcome === "committed") {
    check(rowCount === 1, "a commit succeeded, and what it committed is not there");
  } else if (outcome === reason) {
    check(rowCount === 0, "a commit rejected with signal.reason, and was carried out");
  } else {
    const code = isForebayError(outcome) ? outcome.code : describe(outcome);
    check(code === "OUTCOME_UNKNOWN", `a commit that was aborted rejected with ${code}`);
  }
}

function isRows(value: unknown): value is Awaited<ReturnType<DriverConn["stream"]>> {
  return typeof value === "object" && value !== null && "next" in value;
}

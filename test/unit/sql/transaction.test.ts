import { expect, test } from "vitest";
import { ForebayError, UsageError } from "../../../packages/forebay/src/base/errors.ts";
import { isSerializationFailure } from "../../../packages/forebay/src/sql/transaction.ts";
import type { Tx } from "../../../packages/forebay/src/sql/tx.ts";
import { type FakeDbConn, outcome, rejection, sqlBench } from "../../support/fake-database.ts";

const TX_DONE = { code: "TX_DONE" };
const CONN_BUSY = { code: "CONN_BUSY" };
const conflict = () => Object.assign(new Error("could not serialize"), { code: "40001" });

test("a function that resolves is committed, and its value given", async () => {
  const { db, database, leased, done } = sqlBench();
  const value = await db.transaction(
    async (tx) => {
      await tx.exec("a");
      return 7;
    },
    { isolation: "repeatable read" },
  );
  expect(value).toBe(7);
  expect(database.calls).toEqual(["begin repeatable read", "query a", "commit"]);
  expect(leased()).toBe(0);
  await done();
});

test("a function that rejects is rolled back, and its error given", async () => {
  const { db, database, leased, done } = sqlBench();
  const mistake = new Error("mine");
  const failing = db.transaction(async (tx) => {
    await tx.exec("a");
    throw mistake;
  });
  expect(await rejection(failing)).toBe(mistake);
  expect(database.calls).toEqual(["begin", "query a", "rollback"]);
  expect(leased()).toBe(0);
  await done();
});

test("a function that throws at once is rolled back too", async () => {
  const { db, database, done } = sqlBench();
  const mistake = new Error("mine");
  const failing = db.transaction(() => {
    throw mistake;
  });
  expect(await rejection(failing)).toBe(mistake);
  expect(database.calls).toEqual(["begin", "rollback"]);
  await done();
});

test("the function's error is given even when the rollback fails", async () => {
  const { db, database, leased, done } = sqlBench();
  const mistake = new Error("mine");
  database.failNext("rollback", new Error("connection lost"));
  expect(await rejection(db.transaction(() => Promise.reject(mistake)))).toBe(mistake);
  expect(leased()).toBe(0);
  expect(database.openCount).toBe(0);
  await done();
});

test("a commit that fails rejects with its error", async () => {
  const { db, database, leased, done } = sqlBench();
  const deferred = new Error("deferred constraint");
  database.failNext("commit", deferred);
  expect(await rejection(db.transaction(async () => 1))).toBe(deferred);
  expect(leased()).toBe(0);
  expect(database.calls).toEqual(["begin", "commit", "rollback"]);
  await done();
});

test("the handle is done when the function has ended", async () => {
  const { db, done } = sqlBench();
  const handle = await db.transaction(async (tx) => tx);
  expect(await rejection(handle.query("a"))).toMatchObject(TX_DONE);
  await done();
});

test("calls left running are finished before the commit", async () => {
  const { db, database, done } = sqlBench();
  const hang = database.hangNext("query");
  const left: Promise<unknown>[] = [];
  const running = db.transaction(async (tx) => {
    left.push(tx.exec("a"), tx.exec("b"));
  });
  await hang.reached;
  hang.release();
  await Promise.all([running, ...left]);
  expect(database.calls).toEqual(["begin", "query a", "query b", "commit"]);
  await done();
});

test("rows left open fail the commit, and the transaction is rolled back", async () => {
  const { db, database, done } = sqlBench();
  const failing = db.transaction(async (tx) => {
    await tx.rows("r").next();
  });
  expect(await rejection(failing)).toMatchObject(CONN_BUSY);
  expect(database.calls).toEqual(["begin", "stream r", "next", "rows.close", "rollback"]);
  await done();
});

test("a function may end the transaction itself", async () => {
  const { db, database, done } = sqlBench();
  expect(await db.transaction(async (tx) => tx.rollback().then(() => "undone"))).toBe("undone");
  expect(await db.transaction(async (tx) => tx.commit().then(() => "done"))).toBe("done");
  expect(database.calls).toEqual(["begin", "rollback", "begin", "commit"]);
  await done();
});

test("a commit that failed unseen in the function does not count as an end", async () => {
  const { db, database, done } = sqlBench();
  database.failNext("commit", new Error("deferred constraint"));
  const failing = db.transaction(async (tx) => {
    await outcome(tx.commit());
  });
  expect(await rejection(failing)).toMatchObject(TX_DONE);
  await done();
});

test("an abort rejects with the reason when the function ends, before the rollback", async () => {
  const { db, database, abortable, leased, done } = sqlBench();
  for (const ending of ["throws", "resolves"] as const) {
    const controller = abortable();
    const hang = database.hangNext("query");
    const stuck = database.hangNext("rollback");
    const running = outcome(
      db.transaction(
        async (tx) => {
          await outcome(tx.query("a"));
          if (ending === "throws") throw new Error("a wrapped error");
        },
        { signal: controller.signal },
      ),
    );
    await hang.reached;
    controller.abort("enough");
    expect(await running).toEqual({ error: "enough" });
    expect(leased()).toBe(1);
    hang.release();
    stuck.release();
  }
  await done();
});

test("an inner transaction is a savepoint that is released", async () => {
  const { db, database, done } = sqlBench();
  await db.transaction(async (tx) => {
    await tx.exec("a");
    const value = await tx.transaction(async (inner) => {
      await inner.exec("b");
      await inner.transaction(async (innermost) => innermost.exec("c"));
      return 7;
    });
    expect(value).toBe(7);
    await tx.exec("d");
  });
  expect(database.calls).toEqual([
    "begin",
    "query a",
    "query SAVEPOINT forebay_1",
    "query b",
    "query SAVEPOINT forebay_2",
    "query c",
    "query RELEASE SAVEPOINT forebay_2",
    "query RELEASE SAVEPOINT forebay_1",
    "query d",
    "commit",
  ]);
  await done();
});

test("an inner transaction that fails is undone alone", async () => {
  const { db, database, done } = sqlBench();
  const mistake = new Error("inner");
  await db.transaction(async (tx) => {
    const failing = tx.transaction(async (inner) => {
      await inner.exec("a");
      throw mistake;
    });
    expect(await rejection(failing)).toBe(mistake);
    await tx.exec("b");
  });
  expect(database.calls).toEqual([
    "begin",
    "query SAVEPOINT forebay_1",
    "query a",
    "query ROLLBACK TO SAVEPOINT forebay_1",
    "query RELEASE SAVEPOINT forebay_1",
    "query b",
    "commit",
  ]);
  await done();
});

test("the outer handle is busy until the inner transaction ends, which is done then", async () => {
  const { db, done } = sqlBench();
  await db.transaction(async (tx) => {
    const inner = await tx.transaction(async (handle) => {
      expect(await rejection(tx.exec("a"))).toMatchObject(CONN_BUSY);
      expect(await rejection(tx.transaction(async () => undefined))).toMatchObject(CONN_BUSY);
      expect(await rejection(tx.commit())).toMatchObject(CONN_BUSY);
      return handle;
    });
    expect(await rejection(inner.exec("b"))).toMatchObject(TX_DONE);
    await tx.exec("c");
  });
  await done();
});

test("a savepoint that cannot be set fails the inner transaction alone", async () => {
  const { db, database, done } = sqlBench();
  const refused = new Error("aborted");
  await db.transaction(async (tx) => {
    database.failNext("query", refused);
    expect(await rejection(tx.transaction(async () => undefined))).toBe(refused);
    await tx.exec("a");
  });
  await done();
});

test("a savepoint that cannot be rolled back to costs transaction and connection", async () => {
  const { db, database, leased, done } = sqlBench();
  const [mistake, noSuch] = [new Error("inner"), new Error("no such savepoint")];
  const failing = db.transaction(async (tx) => {
    const inner = tx.transaction(async () => {
      database.failNext("query", noSuch);
      throw mistake;
    });
    expect(await rejection(inner)).toBe(mistake);
    expect(await rejection(tx.exec("a"))).toMatchObject({ ...TX_DONE, cause: noSuch });
  });
  expect(await rejection(failing)).toMatchObject({ ...TX_DONE, cause: noSuch });
  expect(leased()).toBe(0);
  expect(database.openCount).toBe(0);
  await done();
});

test("a rollback of the outer transaction ends the inner ones by itself", async () => {
  const { db, database, done } = sqlBench();
  const tx = await db.begin();
  const escaped: Tx<FakeDbConn>[] = [];
  const inner = outcome(
    tx.transaction(async (one) => {
      await one.transaction(async (two) => {
        escaped.push(one, two);
        await tx.rollback();
      });
    }),
  );
  expect(await inner).toMatchObject({ error: TX_DONE });
  for (const handle of escaped) expect(await rejection(handle.exec("a"))).toMatchObject(TX_DONE);
  expect(database.calls).toEqual([
    "begin",
    "query SAVEPOINT forebay_1",
    "query SAVEPOINT forebay_2",
    "rollback",
  ]);
  await done();
});

test("a rollback of the outer transaction waits for the inner one's call in flight", async () => {
  const { db, database, done } = sqlBench();
  const tx = await db.begin();
  const inner = outcome(
    tx.transaction(async (handle) => {
      const hang = database.hangNext("query");
      const first = handle.exec("a");
      const second = outcome(handle.exec("b"));
      await hang.reached;
      const rolledBack = tx.rollback();
      hang.release();
      await Promise.all([first, rolledBack]);
      expect(await second).toMatchObject({ error: TX_DONE });
    }),
  );
  expect(await inner).toMatchObject({ error: TX_DONE });
  expect(database.calls).toEqual(["begin", "query SAVEPOINT forebay_1", "query a", "rollback"]);
  await done();
});

test("an abort ends inner transactions too, also while a savepoint is being set", async () => {
  const { db, database, abortable, clock, leased, done } = sqlBench();
  const controller = abortable();
  const { signal } = controller;
  const running = outcome(
    db.transaction(
      async (tx) => {
        await tx.transaction(async (inner) => {
          const hang = database.hangNext("query");
          const setting = outcome(inner.transaction(async () => undefined));
          await hang.reached;
          controller.abort("enough");
          expect(await setting).toEqual({ error: "enough" });
          expect(await rejection(inner.exec("a"))).toBe("enough");
          hang.release();
        });
      },
      { signal },
    ),
  );
  expect(await running).toEqual({ error: "enough" });
  await clock.settle();
  expect(leased()).toBe(0);
  expect(database.calls).toEqual([
    "begin",
    "query SAVEPOINT forebay_1",
    "query SAVEPOINT forebay_2",
    "rollback",
  ]);
  await done();
});

test("a conflict is not repeated unless asked for", async () => {
  const { db, database, done } = sqlBench();
  const error = conflict();
  expect(await rejection(db.transaction(() => Promise.reject(error)))).toBe(error);
  expect(database.calls).toEqual(["begin", "rollback"]);
  await done();
});

test("a conflict is repeated in a new transaction after a wait, as often as asked", async () => {
  const { db, database, abortable, clock, leased, done } = sqlBench();
  let runs = 0;
  const running = outcome(
    db.transaction(
      async (tx) => {
        runs += 1;
        await tx.exec(`run ${runs}`);
        if (runs < 3) throw conflict();
        return runs;
      },
      { retries: 2, signal: abortable().signal },
    ),
  );
  await clock.settle();
  expect(runs).toBe(1);
  expect(leased()).toBe(0);
  await clock.advance(10);
  expect(runs).toBe(2);
  await clock.advance(20);
  expect(await running).toEqual({ value: 3 });
  expect(database.calls.filter((call) => call === "rollback")).toHaveLength(2);
  await done();
});

test("conflicts beyond the retries reject with the last one; those at commit count", async () => {
  const { db, database, clock, done } = sqlBench();
  const errors = [conflict(), conflict()];
  for (const error of errors) database.failNext("commit", error);
  const running = outcome(db.transaction(async () => 1, { retries: 1 }));
  await clock.advance(10);
  expect((await running).error).toBe(errors[1]);
  await done();
});

test("an abort during the wait between two runs rejects with the reason", async () => {
  const { db, abortable, clock, done } = sqlBench();
  const controller = abortable();
  const running = outcome(
    db.transaction(() => Promise.reject(conflict()), { retries: 5, signal: controller.signal }),
  );
  await clock.settle();
  controller.abort("enough");
  expect(await running).toEqual({ error: "enough" });
  await done();
});

test("other errors are never repeated", async () => {
  const { db, database, done } = sqlBench();
  const unknown = new ForebayError("operating", "OUTCOME_UNKNOWN", "lost", { retryable: false });
  database.failNext("commit", unknown);
  expect(await rejection(db.transaction(async () => 1, { retries: 5 }))).toBe(unknown);
  await done();
});

test("retries must be a whole number from 0", async () => {
  const { db, done } = sqlBench();
  const conn = await db.conn();
  for (const retries of [-1, 0.5, Number.NaN, Infinity]) {
    expect(() => db.transaction(async () => 1, { retries })).toThrow(UsageError);
    expect(() => conn.transaction(async () => 1, { retries })).toThrow(UsageError);
  }
  await conn.close();
  await done();
});

test("serialization failures and deadlocks are recognised, also as a cause", () => {
  expect(isSerializationFailure({ code: "40001" })).toBe(true);
  expect(isSerializationFailure({ code: "40P01" })).toBe(true);
  expect(isSerializationFailure({ code: "ER_LOCK_DEADLOCK", sqlState: "40001" })).toBe(true);
  expect(isSerializationFailure(new Error("wrapped", { cause: conflict() }))).toBe(true);
  expect(isSerializationFailure({ code: "23505" })).toBe(false);
  expect(isSerializationFailure("40001")).toBe(false);
  expect(isSerializationFailure(null)).toBe(false);
  const endless: { cause?: unknown } = {};
  endless.cause = endless;
  expect(isSerializationFailure(endless)).toBe(false);
});

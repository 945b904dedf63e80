import { expect, test } from "vitest";
import { randomBelow, seededRandom } from "../../packages/forebay/src/base/random.ts";
import { atOnce, openAtMost, type SqlBench, sqlBench } from "./support.ts";

const CALLERS = 40;
const MOST = 6;

/** Many callers at once: all succeed, on no more connections than allowed, and none is kept. */
async function expectSound(work: (bench: SqlBench, n: number) => Promise<unknown>): Promise<void> {
  const bench = sqlBench({ maxOpenConns: MOST, maxIdleConns: 3 });
  const { db, database, clock, done } = bench;
  const most = await openAtMost(bench, () => atOnce(CALLERS, (n) => work(bench, n)));
  expect(most).toBe(MOST);
  await clock.settle();
  expect(db.stats()).toMatchObject({ openConnections: 3, idle: 3, inUse: 0 });
  expect(database.openCount).toBe(3);
  await done();
}

async function readAll(rows: AsyncIterable<unknown>): Promise<void> {
  let count = 0;
  for await (const _row of rows) count += 1;
  expect(count).toBe(3);
}

test("TestConcurrency/DBQuery: many streams on a DB", async () => {
  await expectSound(async ({ db }) => {
    await readAll(db.rows("a"));
    await db.query("b");
  });
});

test("TestConcurrency/DBExec: many calls on a DB", async () => {
  await expectSound(({ db }, n) => db.exec("a", [n]));
});

test("TestConcurrency/StmtQuery: many streams on statements", async () => {
  await expectSound(async ({ db }) => {
    const stmt = await db.prepare("p");
    await readAll(stmt.rows());
    await stmt.query();
    await stmt.close();
  });
});

test("TestConcurrency/StmtExec: many calls on statements", async () => {
  await expectSound(async ({ db }, n) => {
    const stmt = await db.prepare("p");
    await stmt.exec([n]);
    await stmt.close();
  });
});

test("TestConcurrency/TxQuery: many streams in transactions", async () => {
  await expectSound(({ db }) =>
    db.transaction(async (tx) => {
      await readAll(tx.rows("a"));
      await tx.query("b");
    }),
  );
});

test("TestConcurrency/TxExec: many calls in transactions", async () => {
  await expectSound(({ db }, n) => db.transaction((tx) => tx.exec("a", [n])));
});

test("TestConcurrency/TxStmtQuery: many streams on statements of transactions", async () => {
  await expectSound(({ db }) =>
    db.transaction(async (tx) => {
      const stmt = await tx.prepare("p");
      await readAll(stmt.rows());
      await stmt.query();
    }),
  );
});

test("TestConcurrency/TxStmtExec: many calls on statements of transactions", async () => {
  await expectSound(({ db }, n) =>
    db.transaction(async (tx) => {
      const stmt = await tx.prepare("p");
      return stmt.exec([n]);
    }),
  );
});

test("TestConcurrency/Random: any of these at once, by chance", async () => {
  const random = seededRandom(7);
  await expectSound(async ({ db }) => {
    const stmt = await db.prepare("p");
    const works: readonly (() => Promise<unknown>)[] = [
      () => readAll(db.rows("a")),
      () => db.exec("a"),
      () => readAll(stmt.rows()),
      () => stmt.exec(),
      () => db.transaction((tx) => readAll(tx.rows("a"))),
      () => db.transaction((tx) => tx.exec("a")),
      () => db.transaction((tx) => readAll(tx.stmt(stmt).rows())),
      () => db.transaction((tx) => tx.stmt(stmt).exec()),
    ];
    await works[randomBelow(random, works.length)]?.();
    await db.query("b");
  });
});

import { expect, test } from "vitest";
import { isSerializationFailure } from "../../../packages/forebay/src/sql/transaction.ts";
import { outcome, type SqlBench, sqlBench } from "../../support/fake-database.ts";

/** A number in a database that lets nobody write who has not read what is there now. */
class Counter {
  value = 0;
  conflicts = 0;
  readonly #bench: SqlBench;

  constructor(bench: SqlBench) {
    this.#bench = bench;
    bench.database.answer = (sql, [read]) => {
      if (sql === "UPDATE") this.#write(read);
      return { rows: [{ n: this.value }] };
    };
  }

  /** Adds one, and takes 5 ms between reading and writing. */
  async add(retries: number): Promise<void> {
    const { db, clock } = this.#bench;
    await db.transaction(
      async (tx) => {
        const { n } = await tx.queryRow<{ n: number }>("SELECT");
        await new Promise<void>((resolve) => {
          clock.setTimer(5, resolve);
        });
        await tx.exec("UPDATE", [n]);
      },
      { retries },
    );
  }

  #write(read: unknown): void {
    if (read === this.value) {
      this.value += 1;
      return;
    }
    this.conflicts += 1;
    // Half of them as PostgreSQL tells a deadlock, wrapped by somebody on the way.
    if (this.conflicts % 2 === 1) throw Object.assign(new Error("conflict"), { code: "40001" });
    const cause = Object.assign(new Error("deadlock"), { sqlState: "40P01" });
    throw new Error("the update failed", { cause });
  }
}

/** How many calls of a kind the database saw. */
function count({ database }: SqlBench, call: string): number {
  return database.calls.filter((each) => each === call).length;
}

/** Lets time pass, and looks at each millisecond that no idle connection is in a transaction. */
async function pass({ db, database, clock }: SqlBench, forMs: number): Promise<void> {
  for (let ms = 0; ms < forMs; ms++) {
    await clock.advance(1);
    const { openConnections, pool } = db.stats();
    expect(openConnections).toBeLessThanOrEqual(5);
    const inTx = database.conns.filter(({ isInTx }) => isInTx).length;
    expect(inTx).toBeLessThanOrEqual(pool.leased);
  }
}

test("fifty transactions on one row all succeed, as those that conflict run again", async () => {
  const bench = sqlBench({ maxOpenConns: 5 });
  const counter = new Counter(bench);
  const ended: Awaited<ReturnType<typeof outcome>>[] = [];
  for (let each = 0; each < 50; each++) {
    void outcome(counter.add(20)).then((result) => ended.push(result));
  }
  await pass(bench, 1000);
  expect(ended).toHaveLength(50);
  expect(ended.filter(({ error }) => error !== undefined)).toEqual([]);
  expect(counter.value).toBe(50);
  // One of five that read at once wins. As the others come back apart, fewer meet again.
  expect(counter.conflicts).toBeLessThan(3 * 50);
  expect(count(bench, "begin")).toBe(50 + counter.conflicts);
  expect(count(bench, "commit")).toBe(50);
  expect(count(bench, "rollback")).toBe(counter.conflicts);
  await bench.done();
});

test("where conflicts last, each caller is told in time, and others go on meanwhile", async () => {
  const bench = sqlBench({ maxOpenConns: 5 });
  const counter = new Counter(bench);
  // Somebody else writes all the time.
  const write = (): void => {
    counter.value += 1;
  };
  const ended: Awaited<ReturnType<typeof outcome>>[] = [];
  for (let each = 0; each < 5; each++) {
    void outcome(counter.add(3)).then((result) => ended.push(result));
  }
  let served = 0;
  for (let ms = 0; ms < 200; ms++) {
    write();
    void bench.db.query("SELECT").then(() => {
      served += 1;
    });
    await pass(bench, 1);
  }
  // Twenty runs of 5 ms and pauses of 10, 20 and 40 ms at most.
  expect(ended.map(({ error }) => isSerializationFailure(error))).toEqual(Array(5).fill(true));
  expect(counter.conflicts).toBe(20);
  expect(count(bench, "begin")).toBe(20);
  expect(count(bench, "rollback")).toBe(20);
  expect(served).toBe(200);
  expect(bench.db.stats()).toMatchObject({ idle: 5, pool: { timeoutCount: 0 } });
  await bench.done();
});

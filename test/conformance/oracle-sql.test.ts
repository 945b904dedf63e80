import { expect, test } from "vitest";
import { randomBelow, seededRandom } from "../../packages/forebay/src/base/random.ts";
import { outcome, type SqlBench, sqlBench } from "./support.ts";

const LIVES = 25;

/** Some turns of the microtask queue, so that what follows meets calls at any moment. */
async function someTurns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await Promise.resolve();
}

/**
 * Transactions that end in every way while their statements are under way, beside calls on the `DB`
 * itself. Statements are named by the transaction they belong to: `tx 7`; others `no tx`.
 */
async function manyTransactions(bench: SqlBench, seed: number): Promise<void> {
  const { db, abortable } = bench;
  const random = seededRandom(seed);
  const below = (limit: number) => randomBelow(random, limit);
  const runs = Array.from({ length: 12 }, async (_, n) => {
    const controller = abortable();
    await someTurns(below(8));
    if (below(3) === 0) return outcome(db.query("no tx"));
    const begun = await outcome(db.begin({ signal: controller.signal }));
    if (begun.error !== undefined) return begun;
    const tx = begun.value as Awaited<ReturnType<typeof db.begin>>;
    const work = Array.from({ length: 1 + below(4) }, () => outcome(tx.query(`tx ${n}`)));
    await someTurns(below(10));
    const ends = [
      () => tx.commit(),
      () => tx.rollback(),
      async () => controller.abort("enough"),
      async () => tx[Symbol.asyncDispose](),
    ];
    const end = outcome((ends[below(ends.length)] ?? (() => tx.commit()))());
    const late = [outcome(tx.query(`tx ${n}`)), outcome(tx.exec(`tx ${n}`))];
    await Promise.all([...work, end, ...late]);
    return outcome(tx.rollback());
  });
  await Promise.all(runs);
}

/** What in the log of the driver ran in no transaction, or in another's. */
function misplaced(log: readonly string[]): string[] {
  const found: string[] = [];
  const current = new Map<string, string | undefined>();
  const open = new Set<string>();
  for (const line of log) {
    const [conn = "", call = "", ...rest] = line.split(" ");
    const sql = rest.join(" ");
    if (call === "begin") {
      open.add(conn);
      current.set(conn, undefined);
    } else if (call === "commit" || call === "rollback") {
      open.delete(conn);
    } else if (call === "query" && sql.startsWith("tx ")) {
      const owner = current.get(conn) ?? sql;
      current.set(conn, owner);
      if (!open.has(conn) || owner !== sql) found.push(line);
    } else if (call === "query" && open.has(conn)) {
      found.push(line);
    }
  }
  return found;
}

test("P6: no statement of a transaction runs after its end, or in another's", async () => {
  let inTx = 0;
  for (let seed = 1; seed <= LIVES; seed++) {
    const bench = sqlBench({ maxOpenConns: 3 });
    await manyTransactions(bench, seed);
    expect(misplaced(bench.database.log)).toEqual([]);
    inTx += bench.database.calls.filter((call) => call.startsWith("query tx")).length;
    await bench.done();
  }
  expect(inTx).toBeGreaterThan(100);
  expect(misplaced(["1 begin", "1 query tx 1", "1 rollback", "1 query tx 1"])).toHaveLength(1);
  expect(misplaced(["1 begin", "1 query tx 1", "1 query tx 2"])).toHaveLength(1);
});

/** Marks rows with the connection's user at the moment of their reading; notes reads of others. */
function markRows({ database }: SqlBench): string[] {
  const strays: string[] = [];
  const users = new WeakMap<object, string>();
  const { connect } = database;
  database.connect = async (...how: Parameters<typeof connect>) => {
    const conn = await connect.apply(database, how);
    const { stream, query } = conn;
    conn.query = (sql, args, options) => {
      users.set(conn, sql);
      return query.call(conn, sql, args, options);
    };
    conn.stream = async (sql, args, options) => {
      users.set(conn, sql);
      const rows = await stream.call(conn, sql, args, options);
      const { next } = rows;
      rows.next = async () => {
        if (users.get(conn) !== sql) strays.push(`${sql} read what is ${users.get(conn)}'s`);
        const batch = await next.call(rows);
        return batch?.map(() => ({ user: users.get(conn) }));
      };
      return rows;
    };
    return conn;
  };
  return strays;
}

test("P7: no row reaches a reader once its connection is another's", async () => {
  let delivered = 0;
  for (let seed = 1; seed <= LIVES; seed++) {
    const bench = sqlBench({ maxOpenConns: 2 });
    const strays = markRows(bench);
    const random = seededRandom(seed);
    const below = (limit: number) => randomBelow(random, limit);
    const readers = Array.from({ length: 15 }, async (_, n) => {
      const controller = bench.abortable();
      const rows = bench.db.rows<{ user: string }>(`reader ${n}`, [], {
        signal: controller.signal,
      });
      await someTurns(below(12));
      const reads = Array.from({ length: below(6) }, () => outcome(rows.next()));
      await someTurns(below(20));
      const ends = [() => controller.abort("enough"), () => rows.close(), () => undefined];
      const ended = outcome((async () => ends[below(ends.length)]?.())());
      const beside = outcome(below(2) === 0 ? bench.db.query(`query ${n}`) : ended);
      for (const { value } of await Promise.all(reads)) {
        const read = value as IteratorResult<{ user: string }> | undefined;
        if (read === undefined || read.done === true) continue;
        delivered += 1;
        expect(read.value.user).toBe(`reader ${n}`);
      }
      await ended;
      await rows.close();
      await beside;
    });
    await Promise.all(readers);
    expect(strays).toEqual([]);
    await bench.done();
  }
  expect(delivered).toBeGreaterThan(100);
});

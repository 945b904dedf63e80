// What the conformance tests share: benches, and the steps that many of them begin with.

import { BadConnError } from "../../packages/forebay/src/driver/errors.ts";
import type { FakeDatabase, FakeDbConn, SqlBench } from "../support/fake-database.ts";

export { outcome, rejection, type SqlBench, sqlBench } from "../support/fake-database.ts";
export { poolBench, type PoolBench } from "../support/pool.ts";
export {
  closedBy,
  fill,
  leaseOf,
  poolErrorOf,
  queue,
  reports,
  script,
  take,
  takeOne,
  watch,
} from "../unit/pool/steps.ts";

/** Opens so many connections, gives all back, and forgets the calls made so far. */
export async function openIdle(bench: SqlBench, count: number): Promise<void> {
  const conns = await Promise.all(Array.from({ length: count }, () => bench.db.conn()));
  for (const conn of conns) await conn.close();
  bench.database.log.length = 0;
}

/** An error by which a driver says that the connection is dead and nothing was sent. */
export function bad(): BadConnError {
  return new BadConnError("the server closed the connection");
}

/** Lets the server end every connection, unseen: each next call on one says that it is bad. */
export function killAll(database: FakeDatabase): void {
  for (const conn of database.conns) {
    conn.perform = async () => {
      conn.isDead = true;
      throw bad();
    };
  }
}

/** The connection that was opened as the `number`th, from 1. */
export function connOf(database: FakeDatabase, number: number): FakeDbConn {
  const conn = database.conns[number - 1];
  if (conn === undefined) throw new Error(`there is no connection ${number}`);
  return conn;
}

/** Runs `work` as often as said, all at once, with numbers from 0. */
export function atOnce<T>(times: number, work: (n: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: times }, (_, n) => work(n)));
}

/** The highest number of open connections while `work` runs, seen at each call of the driver. */
export async function openAtMost(bench: SqlBench, work: () => Promise<unknown>): Promise<number> {
  const { database } = bench;
  let most = database.openCount;
  const { answer } = database;
  database.answer = (sql, args) => {
    most = Math.max(most, database.openCount);
    return answer(sql, args);
  };
  await work();
  database.answer = answer;
  return Math.max(most, database.openCount);
}

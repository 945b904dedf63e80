// Many callers who give up at any moment, beside others who do not, on few connections: who gets
// what he did not ask for?

import { isForebayError } from "../../packages/forebay/src/index.ts";
import type { Random } from "../../packages/forebay/src/base/random.ts";
import {
  isPgError,
  openPostgres,
  type PostgresDB,
} from "../../packages/forebay/src/postgres/index.ts";

/** What a storm has shown. */
export interface StormOutcome {
  readonly answered: number;
  readonly aborted: number;
  /** Errors other than the caller's own abort, by code. */
  readonly errors: ReadonlyMap<string, number>;
  /** What must never be: in words. */
  readonly violations: readonly string[];
}

type Work = (db: PostgresDB, n: number, sleepS: number, signal: AbortSignal) => Promise<unknown>;

const SLEEPY = "SELECT $1::int AS n, pg_sleep($2::float8) IS NULL AS slept";
const BRISK = "SELECT $1::int AS n";

const WORKS: readonly Work[] = [
  async (db, n, _sleepS, signal) => (await db.queryRow<{ n: number }>(BRISK, [n], { signal })).n,
  async (db, n, sleepS, signal) =>
    (await db.queryRow<{ n: number }>(SLEEPY, [n, sleepS], { signal })).n,
  async (db, n, sleepS, signal) => {
    const sql = `${SLEEPY} -- text ${n % 300}`;
    return (await db.query<{ n: number }>(sql, [n, sleepS], { signal })).rows[0]?.n;
  },
  async (db, n, sleepS, signal) =>
    db.transaction(
      async (tx) => {
        await tx.query(SLEEPY, [-n, sleepS / 2]);
        return (await tx.queryRow<{ n: number }>(SLEEPY, [n, sleepS / 2])).n;
      },
      { signal },
    ),
  async (db, n, _sleepS, signal) => {
    let last = 0;
    const rows = db.rows<{ i: number }>(
      "SELECT $1::int - 999 + i AS i FROM generate_series(0, 999) AS i",
      [n],
      { signal },
    );
    for await (const { i } of rows) last = i;
    return last;
  },
  async (db, n, sleepS, signal) => {
    const [, second] = await db.batch(
      [
        { sql: SLEEPY, args: [-n, sleepS] },
        { sql: BRISK, args: [n] },
      ],
      { signal },
    );
    return second?.rows[0]?.["n"];
  },
];

/** So many calls, by so many callers at once; every other one gives up at some moment. */
export async function storm(
  url: string,
  count: number,
  callers: number,
  random: Random,
): Promise<StormOutcome> {
  const db = openPostgres(url, {
    maxOpenConns: 4,
    acquireTimeoutMs: 60_000,
    pipelining: { maxConns: 2 },
    connection: { env: {} },
    onBackgroundError: () => undefined,
  });
  const errors = new Map<string, number>();
  const violations: string[] = [];
  let answered = 0;
  let aborted = 0;
  let begun = 0;
  const one = async (): Promise<void> => {
    begun += 1;
    const n = begun;
    const controller = new AbortController();
    const reason = { caller: n };
    const gaveUp = n % 2 === 0;
    const timer = gaveUp
      ? setTimeout(() => controller.abort(reason), random.next() ** 3 * 60)
      : undefined;
    const work = WORKS[Math.floor(random.next() * WORKS.length)] as Work;
    try {
      const got = await work(db, n, random.next() ** 4 * 0.004, controller.signal);
      answered += 1;
      if (got !== n) violations.push(`caller ${n} got ${String(got)}`);
    } catch (error) {
      if (error === reason) aborted += 1;
      else judge(n, gaveUp, error);
    } finally {
      clearTimeout(timer);
    }
  };
  const judge = (n: number, gaveUp: boolean, error: unknown): void => {
    const isOwn = typeof error === "object" && error !== null && "caller" in error;
    if (isOwn) violations.push(`caller ${n} was rejected with another's reason`);
    else if (isPgError(error) && error.sqlstate === "57014") {
      violations.push(`caller ${n}, who had ${gaveUp ? "" : "not "}given up, was cancelled`);
    } else if (isPgError(error) || isForebayError(error)) {
      errors.set(error.code, (errors.get(error.code) ?? 0) + 1);
    } else violations.push(`caller ${n} got an error of no type: ${String(error)}`);
  };
  const caller = async (): Promise<void> => {
    while (begun < count) await one();
  };
  await Promise.all(Array.from({ length: callers }, caller));
  const { leased } = db.stats().pool;
  await db.close();
  // Shared connections are given back at the end of a turn.
  if (leased > 2) violations.push(`${leased} connections were not given back`);
  return { answered, aborted, errors, violations };
}

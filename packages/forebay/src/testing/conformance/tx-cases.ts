// Cases of `DriverConn.begin`, `commit` and `rollback`.

import { isForebayError } from "../../base/errors.ts";
import type { IsolationLevel, TxOptions } from "../../driver/driver.ts";
import { type Bench, check, describe, type Session, Skip } from "./bench.ts";
import type { CaseSpec } from "./case.ts";
import { onlyValue } from "./statement-cases.ts";

const LEVELS: readonly IsolationLevel[] = [
  "read uncommitted",
  "read committed",
  "repeatable read",
  "serializable",
];

/** How transactions begin and end. */
export const txCases: readonly CaseSpec[] = [
  {
    name: "commits",
    rule: "DriverConn.commit makes what was done since begin visible to others, for good",
    run: async (bench) => {
      await bench.makeTable();
      const session = await bench.connect();
      const { conn } = session;
      await bench.does("begin", () => conn.begin({}));
      await bench.does("insert", () => bench.insert(session, "one"));
      const within = await bench.count();
      check(within === 0, "others see what a transaction has not committed: begin began none");
      await bench.does("commit", () => conn.commit());
      const after = await bench.count();
      check(after === 1, "others do not see what was committed");
      await bench.does("insert", () => bench.insert(session, "two"));
      const beyond = await bench.count();
      check(beyond === 2, "after commit the connection is still in a transaction");
    },
  },
  {
    name: "rolls back",
    rule: "DriverConn.rollback undoes what was done since begin",
    run: async (bench) => {
      await bench.makeTable();
      const session = await bench.connect();
      await bench.does("begin", () => session.conn.begin({}));
      await bench.does("insert", () => bench.insert(session, "one"));
      await bench.does("rollback", () => session.conn.rollback());
      await bench.does("insert", () => bench.insert(session, "two"));
      const count = await bench.count();
      check(count === 1, `after a rollback and one insert there are ${count} rows, not 1`);
    },
  },
  {
    name: "rolls back a transaction in which a statement failed",
    rule: "DriverConn.rollback works whatever happened in the transaction",
    run: async (bench) => {
      await bench.makeTable();
      const session = await bench.connect();
      await bench.does("begin", () => session.conn.begin({}));
      await bench.does("insert", () => bench.insert(session, "one"));
      await failOn(bench, session);
      await bench.does("rollback", () => session.conn.rollback());
      const count = await bench.count();
      check(count === 0, `${count} rows of a transaction that was rolled back are there`);
      await bench.answers(session, "after a rollback");
    },
  },
  {
    name: "says so when the server rolls back instead of committing",
    rule: "DriverConn.commit rejects with COMMIT_ROLLED_BACK when the server rolled back instead",
    run: async (bench) => {
      if (!bench.dialect.errorsSpoilTx) throw new Skip("an error does not spoil a transaction");
      await bench.makeTable();
      const session = await bench.connect();
      await bench.does("begin", () => session.conn.begin({}));
      await bench.does("insert", () => bench.insert(session, "one"));
      await failOn(bench, session);
      const error = await bench.rejects("commit of a spoilt transaction", () =>
        session.conn.commit(),
      );
      const code = isForebayError(error) ? error.code : describe(error);
      check(code === "COMMIT_ROLLED_BACK", `commit rejected with ${code}, not COMMIT_ROLLED_BACK`);
      const count = await bench.count();
      check(count === 0, `${count} rows of a transaction that was rolled back are there`);
      await bench.answers(session, "after a commit that rolled back");
    },
  },
  {
    name: "begins with each isolation level that the database has",
    rule: "TxOptions.isolation holds for the transaction",
    run: async (bench) => {
      const { conn } = await bench.connect();
      const { isolation, isolationLevels } = bench.dialect;
      if (isolationLevels.length === 0) throw new Skip("the database has no isolation levels");
      for (const level of isolationLevels) {
        await bench.does(`begin with ${level}`, () => conn.begin({ isolation: level }));
        if (isolation !== undefined) {
          const result = await bench.does("asking for the isolation level", () =>
            conn.query(isolation, [], { rowMode: "array" }),
          );
          const got = String(onlyValue(result)).toLowerCase().replaceAll("-", " ");
          check(got === level, `begun with ${level}, and the server says ${got}`);
        }
        await bench.does("rollback", () => conn.rollback());
      }
    },
  },
  {
    name: "refuses isolation levels that the database does not have",
    rule: "TxOptions: a driver rejects what its database does not have; it never ignores it",
    run: async (bench) => {
      const had = bench.dialect.isolationLevels;
      const missing = LEVELS.filter((level) => !had.includes(level));
      // One that no database has: what comes from untyped code must not pass, either.
      for (const level of [...missing, "chaos" as IsolationLevel]) {
        await refused(bench, { isolation: level }, `begin with ${level}`);
      }
    },
  },
  {
    name: "begins read-only transactions, or refuses to",
    rule: "TxOptions.readOnly: a driver rejects what its database does not have",
    run: async (bench) => {
      if (!bench.dialect.readOnly) {
        await refused(bench, { readOnly: true }, "begin with readOnly");
        return;
      }
      await bench.makeTable();
      const session = await bench.connect();
      await bench.does("begin with readOnly", () => session.conn.begin({ readOnly: true }));
      await bench.answers(session, "in a read-only transaction");
      await bench.rejects("an insert in a read-only transaction", () =>
        bench.insert(session, "one"),
      );
      await bench.does("rollback", () => session.conn.rollback());
      await bench.does("insert", () => bench.insert(session, "two"));
    },
  },
  {
    name: "begins deferrable transactions, or refuses to",
    rule: "TxOptions.deferrable: a driver rejects what its database does not have",
    run: async (bench) => {
      const deferrable = { isolation: "serializable", readOnly: true, deferrable: true } as const;
      if (!bench.dialect.deferrable) {
        await refused(bench, deferrable, "begin with deferrable");
        return;
      }
      const session = await bench.connect();
      await bench.does("begin with deferrable", () => session.conn.begin(deferrable));
      await bench.answers(session, "in a deferrable transaction");
      await bench.does("rollback", () => session.conn.rollback());
    },
  },
];

/** `begin` rejects, and leaves no transaction open. */
async function refused(bench: Bench, tx: TxOptions, what: string): Promise<void> {
  await bench.makeTable();
  const session = await bench.connect();
  await bench.rejects(what, () => session.conn.begin(tx));
  await bench.does("insert", () => bench.insert(session, "outside"));
  const count = await bench.count();
  check(count === 1, `${what} was rejected, and left a transaction open`);
}

async function failOn(bench: Bench, { conn }: Session): Promise<void> {
  await bench.rejects("a statement that the server refuses", () =>
    conn.query(bench.dialect.failing, []),
  );
}

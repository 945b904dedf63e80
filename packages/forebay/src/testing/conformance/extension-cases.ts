// Cases of what a driver can do beyond running one statement after the other: deadlines, pipelines,
// statements that it keeps, copying and notifications. Skipped for drivers that do not say so.

import {
  capabilitiesOf,
  type CopyConn,
  type ListenConn,
  type PipelineConn,
  type StatementCacheConn,
} from "../../driver/capabilities.ts";
import type { DriverConn } from "../../driver/driver.ts";
import { type Bench, check, describe, need, type Session, skipUnless } from "./bench.ts";
import type { CaseSpec } from "./case.ts";
import type { DialectCopy } from "./dialect.ts";
import { onlyValue } from "./statement-cases.ts";

const DEADLINE_MS = 50;
const AMPLE_MS = 600_000;
/** How long a notification may be on its way that should not come at all. */
const STRAY_MS = 50;

const pipelineRule =
  "PipelineConn.pipeline runs the statements in order, in one transaction unless one is open " +
  "already, and gives their results in order";

const copyRule =
  "CopyConn.copyIn runs a statement that takes data with what the source gives; when the source " +
  "throws, nothing is copied and it rejects with that error";

/** How a driver keeps what it promises of itself, and every driver need not. */
export const extensionCases: readonly CaseSpec[] = [
  {
    name: "stops a statement whose time is up if it says it has deadlines",
    rule: "ExecOptions.timeoutMs: it is stopped on the server, and rejects with STATEMENT_TIMEOUT",
    run: async (bench) => {
      const session = await bench.connect();
      const { conn } = session;
      skipUnless(capabilitiesOf(conn).has("deadline"), "it does not say that it has deadlines");
      const { slow, series } = bench.dialect;
      const stmt = await bench.does("prepare", () => conn.prepare(slow));
      const options = { timeoutMs: DEADLINE_MS };
      for (const run of [() => conn.query(slow, [], options), () => stmt.query([], options)]) {
        const error = await bench.rejects("a slow statement with a timeout", run);
        const { code } = (error ?? {}) as { readonly code?: unknown };
        check(code === "STATEMENT_TIMEOUT", `a timeout rejected with ${describe(error)}`);
        await bench.answersOrIsInvalid(session, "after one whose time was up");
        if (conn.isValid?.() === false) return;
      }
      const quick = { timeoutMs: AMPLE_MS };
      await bench.does("a statement within its time", () => conn.query(series(2), [], quick));
    },
  },
  {
    name: "gives the results of a pipeline in their order",
    rule: pipelineRule,
    run: async (bench) => {
      const session = await pipelining(bench);
      await bench.makeTable();
      const { table, echo } = bench.dialect;
      const results = await bench.does("pipeline", () =>
        session.conn.pipeline([
          { sql: table.insert, args: ["one"] },
          { sql: echo, args: ["two"] },
          { sql: table.insert, args: ["three"] },
        ]),
      );
      check(results.length === 3, `three statements gave ${results.length} results`);
      const affected = results.map(({ rowsAffected }) => rowsAffected);
      check(affected[0] === 1 && affected[2] === 1, `rowsAffected is ${affected.join()}`);
      const [row] = results[1]?.rows ?? [];
      const [got] = Object.values((row ?? {}) as Readonly<Record<string, unknown>>);
      check(got === "two", `the second of them gave ${JSON.stringify(got)}, and should "two"`);
      const count = await bench.count();
      check(count === 2, `two rows were inserted, and the table has ${count}`);
      await bench.answers(session, "after a pipeline");
    },
  },
  {
    name: "undoes a pipeline of which one statement fails",
    rule: `${pipelineRule}. Rejects with the first error; then none of them has happened`,
    run: async (bench) => {
      const session = await pipelining(bench);
      await bench.makeTable();
      const { table, failing } = bench.dialect;
      const insert = { sql: table.insert, args: ["one"] };
      await bench.rejects("a pipeline of which one statement fails", () =>
        session.conn.pipeline([insert, { sql: failing }, insert]),
      );
      await bench.answers(session, "after a pipeline that failed");
      const count = await bench.count();
      check(count === 0, `a pipeline failed, and ${count} of its rows are there`);
    },
  },
  {
    name: "forgets the statements it keeps when told to, and goes on",
    rule: "StatementCacheConn.clearStatementCache frees all of them; nobody above sees them",
    run: async (bench) => {
      const session = await bench.connect();
      skipUnless(isCaching(session.conn), "the connection has no clearStatementCache");
      const { conn } = session;
      const { echo } = bench.dialect;
      const stmt = await bench.does("prepare", () => conn.prepare(echo));
      for (const value of ["one", "two", "three"]) {
        for (const run of [
          () => conn.query(echo, [value], { rowMode: "array" as const }),
          () => stmt.query([value], { rowMode: "array" as const }),
        ]) {
          const got = onlyValue(await bench.does("a statement over a cleared cache", run));
          check(got === value, `"${value}" came back as ${JSON.stringify(got)}`);
        }
        session.conn.clearStatementCache();
      }
      await bench.answers(session, "after the cache was cleared");
    },
  },
  {
    name: "copies what a source gives, wherever it is cut",
    rule: copyRule,
    run: async (bench) => {
      const { session, copy } = await copying(bench);
      // Byte by byte: characters are cut, too.
      const pieces = Array.from(new TextEncoder().encode(copy.data), (byte) => Uint8Array.of(byte));
      const { rowsAffected } = await bench.does("copyIn", () =>
        session.conn.copyIn(copy.sql, pieces),
      );
      check(rowsAffected === copy.rows, `${copy.rows} rows were copied, it says ${rowsAffected}`);
      const count = await bench.count();
      check(count === copy.rows, `${copy.rows} rows were copied, and the table has ${count}`);
      await bench.answers(session, "after copying");
    },
  },
  {
    name: "copies nothing of a source that throws",
    rule: copyRule,
    run: async (bench) => {
      const { session, copy } = await copying(bench);
      const broken = new Error("the source is broken");
      async function* source(): AsyncGenerator<string> {
        yield copy.data;
        throw broken;
      }
      const error = await bench.rejects("copying from a source that throws", () =>
        session.conn.copyIn(copy.sql, source()),
      );
      check(error === broken, `it rejected with ${describe(error)}, not with the source's error`);
      await bench.answers(session, "after a source that threw");
      const count = await bench.count();
      check(count === 0, `the source threw, and ${count} rows are there`);
    },
  },
  {
    name: "hears what others notify, until it listens no more",
    rule: "ListenConn.listen calls back for each notification that arrives, until unlisten",
    run: async (bench) => {
      const session = await bench.connect();
      skipUnless(isListening(session.conn), "the connection cannot listen");
      const { conn } = session;
      const notify = need(bench.dialect.notify, "the dialect has no notify");
      const other = await bench.connect();
      const tell = (payload: string): Promise<unknown> =>
        bench.does("notifying", () => other.conn.query(notify("forebay_kit", payload), []));
      const heard: string[] = [];
      let arrived = (): void => undefined;
      const both = new Promise<void>((resolve) => {
        arrived = resolve;
      });
      await bench.does("listen", () =>
        conn.listen("forebay_kit", (payload) => {
          if (heard.push(payload) === 2) arrived();
        }),
      );
      await tell("one");
      await tell("two");
      await bench.inTime("the second notification", both);
      await bench.does("unlisten", () => conn.unlisten("forebay_kit"));
      await tell("three");
      await bench.answers(session, "after listening");
      await bench.pause(STRAY_MS);
      check(heard.join() === "one,two", `it heard ${heard.join()}, and should have one,two`);
    },
  },
];

function isCaching(conn: DriverConn): conn is StatementCacheConn {
  return capabilitiesOf(conn).has("statement-cache");
}

function isListening(conn: DriverConn): conn is ListenConn {
  return capabilitiesOf(conn).has("listen");
}

async function pipelining(bench: Bench): Promise<Session<PipelineConn>> {
  const session = await bench.connect();
  skipUnless(capabilitiesOf(session.conn).has("pipelining"), "the connection has no pipeline");
  return session as Session<PipelineConn>;
}

async function copying(
  bench: Bench,
): Promise<{ readonly session: Session<CopyConn>; readonly copy: DialectCopy }> {
  const session = await bench.connect();
  skipUnless(capabilitiesOf(session.conn).has("copy"), "the connection cannot copy");
  const copy = need(bench.dialect.copy, "the dialect has no copy");
  await bench.makeTable();
  return { session: session as Session<CopyConn>, copy };
}

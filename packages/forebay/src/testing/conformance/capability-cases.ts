// Cases of what a driver may have beyond what it must: it is held to what it says.

import { named } from "../../driver/args.ts";
import { capabilitiesOf } from "../../driver/capabilities.ts";
import type { Column } from "../../driver/driver.ts";
import { trackedSignal } from "../tracked-signal.ts";
import { check, need, skipUnless } from "./bench.ts";
import type { CaseSpec } from "./case.ts";
import { onlyValue } from "./statement-cases.ts";

/** How a driver keeps what it promises of itself. */
export const capabilityCases: readonly CaseSpec[] = [
  {
    name: "keeps a connection whose call was aborted if it can cancel, else gives it up",
    rule:
      "Capability cancel: an aborted signal stops the statement on the server, and the " +
      "connection stays usable. Without it the driver rejects all the same, and gives the " +
      "connection up",
    run: async (bench) => {
      const session = await bench.connect();
      const { conn } = session;
      const canCancel = capabilitiesOf(conn).has("cancel");
      const { signal, abort } = trackedSignal();
      const stopped = bench.rejects("a slow statement whose signal was aborted", () =>
        conn.query(bench.dialect.slow, [], { signal }),
      );
      stopped.catch(() => undefined);
      await bench.pause(20);
      abort(new Error("enough"));
      await stopped;
      if (canCancel) {
        await bench.answers(session, "after one that was aborted, as it says it can cancel,");
        check(conn.isValid?.() ?? true, "isValid is false, although it says that it can cancel");
      } else {
        skipUnless(conn.isValid !== undefined, "the connection has no isValid");
        check(!conn.isValid(), "isValid is true after an abort, and it does not say it can cancel");
      }
    },
  },
  {
    name: "looks at arguments without a change of what they say",
    rule:
      "DriverConn.checkArg, and DriverStmt.checkArg before it, gives the value to send in its " +
      "place, or undefined where it has no opinion; synchronous",
    run: async (bench) => {
      const { conn } = await bench.connect();
      const stmt = await bench.does("prepare", () => conn.prepare(bench.dialect.echo));
      skipUnless(
        conn.checkArg !== undefined || stmt.checkArg !== undefined,
        "neither connection nor statement has checkArg",
      );
      for (const looker of [conn, stmt]) {
        const sent = looker.checkArg?.("a text", 0) ?? "a text";
        check(!(sent instanceof Promise), "checkArg gives a promise, and must be synchronous");
        const result = await bench.does("sending what checkArg gave", () =>
          conn.query(bench.dialect.echo, [sent], { rowMode: "array" }),
        );
        const got = JSON.stringify(onlyValue(result));
        check(got === '"a text"', `checkArg made ${got} of "a text"`);
      }
    },
  },
  {
    name: "takes arguments by name if it says so",
    rule: "DriverConn.takesNamedArgs: args may hold a NamedArg, beside values by position",
    run: async (bench) => {
      const { conn } = await bench.connect();
      skipUnless(conn.takesNamedArgs === true, "the connection does not take named arguments");
      const sql = need(bench.dialect.echoNamed, "the dialect has no echoNamed");
      const stmt = await bench.does("prepare", () => conn.prepare(sql));
      for (const run of [
        () => conn.query(sql, [named("value", "by name")], { rowMode: "array" as const }),
        () => stmt.query([named("value", "by name")], { rowMode: "array" as const }),
      ]) {
        const got = onlyValue(await bench.does("a statement with a named argument", run));
        check(got === "by name", `a named argument came back as ${JSON.stringify(got)}`);
      }
    },
  },
  {
    name: "says of columns only what it knows",
    rule:
      "Column: nullable, length, precision and scale are absent where not known; scale is there " +
      "whenever precision is",
    run: async (bench) => {
      const { conn } = await bench.connect();
      const { series, echo } = bench.dialect;
      const numbers = await bench.does("query", () => conn.query(series(1), []));
      const texts = await bench.does("query", () => conn.query(echo, ["one"]));
      for (const column of [...numbers.columns, ...texts.columns]) checkDetails(column);
    },
  },
  {
    name: "gives the key of an inserted row as a number, or not at all",
    rule: "DriverResult.lastInsertId is a bigint or a number, of databases that tell",
    run: async (bench) => {
      await bench.makeTable();
      const { lastInsertId } = await bench.does("insert", async () =>
        bench.insert(await bench.connect(), "one"),
      );
      const type = typeof lastInsertId;
      check(["undefined", "number", "bigint"].includes(type), `lastInsertId is a ${type}`);
    },
  },
];

function checkDetails({ name, nullable, length, precision, scale }: Column): void {
  check(nullable === undefined || typeof nullable === "boolean", `${name}.nullable is no boolean`);
  for (const [what, value] of Object.entries({ length, precision, scale })) {
    check(value === undefined || Number.isInteger(value), `${name}.${what} is no whole number`);
  }
  check(
    (precision === undefined) === (scale === undefined),
    `${name} has one of precision and scale only`,
  );
}

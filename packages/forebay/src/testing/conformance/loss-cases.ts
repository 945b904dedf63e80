// Cases of connections that are ended from outside: who is told, when, and what is claimed about
// the work under way.

import { isForebayError } from "../../base/errors.ts";
import { capabilitiesOf } from "../../driver/capabilities.ts";
import type { DriverRows } from "../../driver/driver.ts";
import { isBadConn } from "../../driver/errors.ts";
import { type Bench, check, describe, type Session, skipUnless } from "./bench.ts";
import type { CaseSpec } from "./case.ts";

const NO_KILL = "the dialect has no kill";

/** How a loss is noticed and told. */
export const lossCases: readonly CaseSpec[] = [
  {
    name: "notices that an idle connection is lost",
    rule:
      "ConnectOptions.onLost is called as soon as the loss is known, also while the connection " +
      "is idle, for which it must always be reading",
    run: async (bench) => {
      const session = await bench.connect();
      await kill(bench, session);
      await lossOf(bench, session);
    },
  },
  {
    name: "reports a loss once",
    rule: "ConnectOptions.onLost is called at most once",
    run: async (bench) => {
      const session = await bench.connect();
      await kill(bench, session);
      await lossOf(bench, session);
      await bench.outcome("a query on a lost connection", () =>
        session.conn.query(bench.dialect.series(1), []),
      );
      await bench.pause(50);
      await bench.close(session);
      await bench.pause(50);
      check(session.lost.length === 1, `onLost was called ${session.lost.length} times`);
    },
  },
  {
    name: "is not valid after a loss",
    rule: "PooledConn.isValid is false once the connection is known to be of no use",
    run: async (bench) => {
      const session = await bench.connect();
      const { conn } = session;
      skipUnless(conn.isValid !== undefined, "the connection has no isValid");
      await kill(bench, session);
      await lossOf(bench, session);
      check(!conn.isValid(), "isValid is not false after onLost was called");
    },
  },
  {
    name: "rejects what is under way when the connection is lost, and does not call it unsent",
    rule: "BadConnError is thrown only when it is certain that not a byte was written",
    run: async (bench) => {
      const session = await bench.connect();
      const running = bench.rejects("a slow statement whose connection was lost", () =>
        session.conn.query(bench.dialect.slow, []),
      );
      running.catch(() => undefined);
      await bench.pause(50);
      await kill(bench, session);
      const error = await running;
      check(!isBadConn(error), "a statement that the server was working on says BadConnError");
      if (noticesLoss(session)) await lossOf(bench, session);
    },
  },
  {
    name: "rejects rows whose connection is lost, and never ends them as if they were whole",
    rule: "DriverRows.next rejects as the statement does",
    run: async (bench) => {
      const session = await bench.connect();
      const { conn } = session;
      let rows: DriverRows | undefined;
      const reading = bench.rejects("reading rows whose connection was lost", async () => {
        rows = await conn.stream(bench.dialect.slow, []);
        await rows.next();
      });
      reading.catch(() => undefined);
      await bench.pause(50);
      await kill(bench, session);
      const error = await reading;
      check(!isBadConn(error), "rows that the server was working on say BadConnError");
      await bench.does("closing rows of a lost connection", async () => rows?.close());
    },
  },
  {
    name: "says BadConnError only of what was not carried out",
    rule:
      "BadConnError: nothing of the request was sent, so that it may be made again elsewhere. " +
      "When in doubt a driver throws its ordinary error",
    run: async (bench) => {
      skipUnless(bench.dialect.kill !== undefined, NO_KILL);
      await bench.makeTable();
      for (const turns of [undefined, 0, 1, 2, 3, 5, 8]) {
        const before = await bench.count();
        const session = await bench.connect();
        const killing = kill(bench, session);
        if (turns === undefined && noticesLoss(session)) await lossOf(bench, session);
        else await bench.turns(turns ?? 10);
        const outcome = await bench.outcome("an insert on a connection being lost", () =>
          bench.insert(session, "perhaps"),
        );
        await killing;
        await bench.close(session);
        const inserted = (await bench.count()) - before;
        if (outcome.ok) {
          check(inserted === 1, "an insert succeeded, and its row is not there");
        } else if (isBadConn(outcome.error)) {
          check(inserted === 0, "an insert was rejected with BadConnError, and was carried out");
        }
      }
    },
  },
  {
    name: "rejects every call on a lost connection",
    rule: "The connection is of no use after onLost: what is asked of it rejects, and soon",
    run: async (bench) => {
      const session = await bench.connect();
      const { conn } = session;
      const stmt = await bench.does("prepare", () => conn.prepare(bench.dialect.series(1)));
      await kill(bench, session);
      await lossOf(bench, session);
      const one = bench.dialect.series(1);
      const calls = {
        query: () => conn.query(one, []),
        stream: async () => (await conn.stream(one, [])).next(),
        prepare: () => conn.prepare(one),
        "stmt.query": () => stmt.query([]),
        "stmt.stream": async () => (await stmt.stream([])).next(),
        begin: () => conn.begin({}),
      };
      for (const [name, call] of Object.entries(calls)) {
        await bench.rejects(`${name} on a lost connection`, call);
      }
      if (conn.ping !== undefined) {
        await bench.rejects("ping on a lost connection", async () => conn.ping?.());
      }
      await bench.does("closing a prepared statement of a lost connection", () => stmt.close());
    },
  },
  {
    name: "does not claim to have committed on a lost connection",
    rule:
      "DriverConn.commit rejects with OUTCOME_UNKNOWN when the connection was lost after the " +
      "request was sent, and with BadConnError only when it was not sent",
    run: async (bench) => {
      skipUnless(bench.dialect.kill !== undefined, NO_KILL);
      await bench.makeTable();
      for (const turns of [undefined, 0, 1, 2, 3]) {
        const before = await bench.count();
        const session = await bench.connect();
        await bench.does("begin", () => session.conn.begin({}));
        await bench.does("insert", () => bench.insert(session, "perhaps"));
        const killing = kill(bench, session);
        if (turns === undefined && noticesLoss(session)) await lossOf(bench, session);
        else await bench.turns(turns ?? 10);
        const outcome = await bench.outcome("commit on a connection being lost", () =>
          session.conn.commit(),
        );
        await killing;
        await bench.close(session);
        const committed = (await bench.count()) - before;
        if (outcome.ok) {
          check(committed === 1, "commit succeeded, and what it committed is not there");
        } else if (isBadConn(outcome.error)) {
          check(committed === 0, "commit was rejected with BadConnError, and was carried out");
        } else if (!(isForebayError(outcome.error) && outcome.error.code === "OUTCOME_UNKNOWN")) {
          const how = describe(outcome.error);
          check(committed === 0, `commit was carried out, and rejected with ${how}`);
        }
      }
    },
  },
  {
    name: "closes a lost connection",
    rule: "PooledConn.close resolves once the resource is gone, also when it was lost before",
    run: async (bench) => {
      const session = await bench.connect();
      await kill(bench, session);
      await lossOf(bench, session);
      await bench.close(session);
    },
  },
];

async function kill(bench: Bench, session: Session): Promise<void> {
  skipUnless(bench.dialect.kill !== undefined, NO_KILL);
  await bench.does("the dialect's kill", async () => bench.dialect.kill?.(session.conn));
}

/** Waits for `onLost`, of drivers that say that they call it. */
async function lossOf(bench: Bench, session: Session): Promise<void> {
  skipUnless(noticesLoss(session), "the connection does not have the capability loss");
  await bench.inTime("onLost", session.whenLost);
}

function noticesLoss({ conn }: Session): boolean {
  return capabilitiesOf(conn).has("loss");
}

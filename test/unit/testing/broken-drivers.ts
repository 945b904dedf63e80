// For each conformance case a driver that breaks its rule, and no other.

import { isNamedArg } from "../../../packages/forebay/src/driver/args.ts";
import type { DriverResult } from "../../../packages/forebay/src/driver/driver.ts";
import { BadConnError } from "../../../packages/forebay/src/driver/errors.ts";
import {
  type Break,
  conns,
  never,
  nexts,
  operation,
  OPERATIONS,
  queries,
  results,
  streams,
  stmtQueries,
  stmts,
} from "./break-driver.ts";
import { BROKEN_SESSIONS } from "./broken-sessions.ts";
import { ToyRows, ToyStmt } from "./toy-driver.ts";

const connecting: Readonly<Record<string, Break>> = {
  "connects, and answers a statement": (toy) => {
    toy.name = " ";
  },
  "makes several connections at once, each of them one of its own": (toy) => {
    const connect = toy.connect.bind(toy);
    const underWay = new Set<ReturnType<typeof connect>>();
    toy.connect = async (options) => {
      const [first, second] = underWay;
      const dialing = first !== undefined && second !== undefined ? first : connect(options);
      underWay.add(dialing);
      try {
        return await dialing;
      } finally {
        underWay.delete(dialing);
      }
    };
  },
  "does not connect with a signal that was aborted before": (toy) => {
    const connect = toy.connect.bind(toy);
    toy.connect = async (options) => {
      if (options.signal.aborted) throw new Error("aborted, but for no reason");
      return connect(options);
    };
  },
  "gives a connect up when its signal is aborted": (toy) => {
    const connect = toy.connectToSilence.bind(toy);
    toy.connectToSilence = (options) =>
      connect(options).catch(() => {
        throw new Error("some error of its own");
      });
  },
  "leaves nothing open when a connect is aborted on its way": (toy) => {
    const connect = toy.connect.bind(toy);
    toy.connect = async (options) => {
      const conn = await connect(options);
      for (let i = 0; i < 10; i++) await Promise.resolve();
      options.signal.throwIfAborted();
      return conn;
    };
  },
  "rejects a connect that the server refuses, and says whether to try again": (toy) => {
    toy.retriesRefused = true;
  },
  "leaves the signal of connect alone once connected": conns((_conn, { signal }) => {
    signal.addEventListener("abort", () => undefined);
  }),
  "never reports a connection as lost that has not been handed over": conns((conn, options) => {
    if (conn.toy.database.openCount > 2) options.onLost(new Error("too early"));
  }),
  "closes an idle connection, and resolves when it is gone": conns((conn) => {
    const query = conn.query.bind(conn);
    const close = conn.close.bind(conn);
    let isUsed = false;
    conn.query = (...args) => {
      isUsed = true;
      return query(...args);
    };
    conn.close = () => {
      if (isUsed) conn.toy.uncounted -= 1;
      return close();
    };
  }),
  "closes in the middle of a call, which is then rejected": queries(({ conn, real }) =>
    real().catch((error: unknown) => {
      if (conn.inner.isClosed) return never();
      throw error;
    }),
  ),
  "closes while rows are open": conns((conn) => {
    const close = conn.close.bind(conn);
    conn.close = () => (conn.inner.openRows === undefined ? close() : never());
  }),
  "closes within a transaction, which is rolled back": conns((conn) => {
    const close = conn.close.bind(conn);
    conn.close = () => {
      if (!conn.inner.isDead) conn.commitNow();
      return close();
    };
  }),
  "does not report a connection as lost that was closed": conns((conn, { onLost }) => {
    const close = conn.close.bind(conn);
    conn.close = async () => {
      const wasDead = conn.inner.isDead;
      await close();
      if (!wasDead) onLost(new Error("closed"));
    };
  }),
};

const isSeries = (sql: string): boolean => sql.startsWith("SERIES");

const shared: unknown[] = [];

const statements: Readonly<Record<string, Break>> = {
  "gives rows as objects, with their columns and a command": results(() => ({
    command: undefined as unknown as string,
  })),
  "gives rows as arrays when asked for": results(({ rows }, sql) =>
    isSeries(sql) ? { rows: rows.map((row) => ({ ...(row as object) })) } : {},
  ),
  "gives no rows, and still the columns, where there are none": results(({ rows }) =>
    rows.length === 0 ? { columns: [] } : {},
  ),
  "gives many rows, in order": results(({ rows }, sql) =>
    sql === "SERIES 5000" ? { rows: rows.toReversed() } : {},
  ),
  "counts the rows that a statement changed": results((_result, sql) =>
    sql === "INSERT ?" ? { rowsAffected: 0 } : {},
  ),
  "sends texts as they are": queries(({ args, real }) =>
    real(args.map((arg) => (typeof arg === "string" ? arg.trim() : arg))),
  ),
  "sends null as null": queries(({ args, real }) => real(args.map((arg) => arg ?? "null"))),
  "leaves the arguments as they are": queries(async ({ args, real }) => {
    const result = await real();
    (args as unknown[]).pop();
    return result;
  }),
  "gives each result to its caller for good": results(({ rows }) => {
    shared.length = 0;
    shared.push(...rows);
    return { rows: shared };
  }),
  "rejects what the server refuses, and can be used on": queries(({ sql, real }) =>
    real().catch((error: unknown) => {
      throw sql === "FAIL" ? new BadConnError("refused") : error;
    }),
  ),
  "rejects a wrong number of arguments, and can be used on": queries(({ sql, args, real }) =>
    real(sql === "ECHO ?" && args.length === 2 ? args.slice(1) : args),
  ),
};

const rows: Readonly<Record<string, Break>> = {
  "streams all rows, in order, and their columns before them": nexts(async (next, { sql }) => {
    const portion = await next();
    return sql === "SERIES 5000" ? portion?.toReversed() : portion;
  }),
  "streams rows as arrays when asked for": nexts(async (next) =>
    (await next())?.map((row) => ({ ...(row as object) })),
  ),
  "says that rows are at their end each time it is asked": streams(async ({ sql, real }) => {
    const rows = await real();
    if (sql.includes("; ")) return rows;
    const next = rows.next.bind(rows);
    let ends = 0;
    rows.next = async () => {
      const portion = await next();
      ends += portion === undefined ? 1 : 0;
      return ends > 1 ? [{ n: 0 }] : portion;
    };
    return rows;
  }),
  "knows the count of streamed rows at the end only": streams(async ({ sql, real }) => {
    const rows = await real();
    return sql.includes("; ") ? rows : Object.defineProperty(rows, "rowsAffected", { value: 5000 });
  }),
  "closes rows early, and can be used on": streams(async ({ real }) => {
    const rows = await real();
    const next = rows.next.bind(rows);
    const close = rows.close.bind(rows);
    let isClosed = false;
    rows.close = () => {
      isClosed = true;
      return close();
    };
    rows.next = async () => (isClosed ? [{ n: 0 }] : next());
    return rows;
  }),
  "rejects a stream that the server refuses, and can be used on": streams(({ conn, sql, real }) =>
    sql === "FAIL" ? conn.openRows("stream", "SERIES 0", [], undefined) : real(),
  ),
  "rejects in the middle of rows, and never ends them as if they were whole": nexts(
    async (next, { sql }) =>
      next().catch((error: unknown) => {
        if (sql === "MIDWAY") return undefined;
        throw error;
      }),
  ),
  "rejects a stream with a wrong number of arguments, and can be used on": streams(
    ({ args, real }) => real(args.length === 2 ? args.slice(1) : args),
  ),
};

const prepared: Readonly<Record<string, Break>> = {
  "runs a prepared statement again and again": stmtQueries(({ args, real }) =>
    real(args.map((arg) => arg ?? "null")),
  ),
  "gives the rows of a prepared statement as query does": stmtQueries(async ({ sql, real }) => {
    const result = await real();
    if (!isSeries(sql)) return result;
    return { ...result, rows: result.rows.map((row) => ({ ...(row as object) })) };
  }),
  "streams the rows of a prepared statement": stmts((stmt) => {
    const stream = stmt.stream.bind(stmt);
    stmt.stream = async (...args) => {
      const rows = await stream(...args);
      const next = rows.next.bind(rows);
      rows.next = async () => (await next())?.toReversed();
      return rows;
    };
  }),
  "keeps several prepared statements apart": conns((conn) => {
    const prepare = conn.prepare.bind(conn);
    let last = "";
    conn.prepare = async (sql, options) => {
      const stmt = await prepare(sql, options);
      last = sql;
      stmt.query = (...args) => new ToyStmt(conn, last).query(...args);
      return stmt;
    };
  }),
  "closes a prepared statement, once or twice, and can be used on": stmts((stmt) => {
    let closes = 0;
    stmt.close = async () => {
      closes += 1;
      if (closes > 1) throw new Error("closed before");
    };
  }),
  "rejects a prepared statement that the server refuses, and can be used on": stmtQueries(
    async ({ conn, sql, real }) => (sql === "FAIL" ? conn.result("SERIES 0", []) : real()),
  ),
  "keeps a prepared statement that was run with a wrong number of arguments": stmts((stmt) => {
    const query = stmt.query.bind(stmt);
    let isSpoilt = false;
    stmt.query = async (args, options) => {
      if (isSpoilt) throw new Error("the statement is spoilt");
      isSpoilt = args.length === 2;
      return query(args, options);
    };
  }),
};

const abortedBefore = Object.fromEntries(
  OPERATIONS.map((name) => [
    `rejects ${name} with the reason of a signal that was aborted before`,
    operation(name, (options) =>
      options?.signal?.aborted === true ? Promise.reject(new Error("aborted")) : undefined,
    ),
  ]),
);

const capabilities: Readonly<Record<string, Break>> = {
  "keeps a connection whose call was aborted if it can cancel, else gives it up": conns((conn) => {
    Object.assign(conn, { capabilities: ["loss"] });
  }),
  "looks at arguments without a change of what they say": conns((conn) => {
    conn.checkArg = (value) => Promise.resolve(value);
  }),
  "takes arguments by name if it says so": queries(({ args, real }) =>
    real(args.map((arg) => (isNamedArg(arg) ? arg.name : arg))),
  ),
  "says of columns only what it knows": results(({ columns }) => ({
    columns: columns.map((column) => ({ ...column, precision: 10 })),
  })),
  "gives the key of an inserted row as a number, or not at all": results(() => ({
    lastInsertId: "7" as unknown as number,
  })),
};

/** Rows of several statements, or of one. */
function manyRows(change: (rows: ToyRows, sql: string) => void): Break {
  return streams(async ({ sql, real }) => {
    const rows = await real();
    if (rows instanceof ToyRows) change(rows, sql);
    return rows;
  });
}

const resultSets: Readonly<Record<string, Break>> = {
  "has both members for several results, or neither, and tells the end of one": manyRows(
    (rows, sql) => {
      if (!sql.includes(";")) Object.assign(rows, { nextResultSet: undefined });
    },
  ),
  "gives several results, one behind the other": manyRows((rows, sql) => {
    if (sql.includes("SERIES 0")) Object.defineProperty(rows, "hasNextResultSet", { value: false });
  }),
  "passes over what is left of a result": manyRows((rows) => {
    const next = rows.next.bind(rows);
    const nextResultSet = rows.nextResultSet.bind(rows);
    let isAtEnd = false;
    rows.next = async () => {
      const portion = await next();
      isAtEnd = portion === undefined;
      return portion;
    };
    rows.nextResultSet = () => (isAtEnd ? nextResultSet() : Promise.resolve(false));
  }),
  "closes several results early, and can be used on": manyRows((rows, sql) => {
    if (!sql.includes(";")) return;
    const close = rows.close.bind(rows);
    rows.close = async () => {
      await close();
      rows.nextResultSet = async () => true;
    };
  }),
  "rejects the result of a statement that fails, and can be used on": manyRows((rows, sql) => {
    const nextResultSet = rows.nextResultSet.bind(rows);
    rows.nextResultSet = async () => (sql.includes("FAIL") ? false : nextResultSet());
  }),
  "gives the last result of several to query": queries(({ conn, sql, args, real }) =>
    sql.includes("; ") ? conn.query(sql.split("; ")[0] ?? "", args) : real(),
  ),
};

const extensions: Readonly<Record<string, Break>> = {
  "stops a statement whose time is up if it says it has deadlines": conns((conn) => {
    const run = conn.run.bind(conn);
    conn.run = async (call, sql, options, answer, speed) => {
      try {
        return await run(call, sql, options, answer, speed);
      } catch (error) {
        throw options?.timeoutMs === undefined ? error : new Error("canceled");
      }
    };
  }),
  "gives the results of a pipeline in their order": conns((conn) => {
    const pipeline = conn.pipeline.bind(conn);
    conn.pipeline = async (statements, options) =>
      (await pipeline(statements, options)).toSorted((a, b) => a.rowsAffected - b.rowsAffected);
  }),
  "undoes a pipeline of which one statement fails": conns((conn) => {
    conn.pipeline = async (statements) => {
      const results: DriverResult[] = [];
      for (const { sql, args = [] } of statements) results.push(await conn.query(sql, args));
      return results;
    };
  }),
  "forgets the statements it keeps when told to, and goes on": conns((conn) => {
    const prepare = conn.prepare.bind(conn);
    let cleared = 0;
    conn.clearStatementCache = () => {
      cleared += 1;
    };
    conn.prepare = async (sql, options) => {
      const stmt = await prepare(sql, options);
      const query = stmt.query.bind(stmt);
      const atFirst = cleared;
      stmt.query = async (args, own) => {
        if (cleared > atFirst) throw new Error("no such statement");
        return query(args, own);
      };
      return stmt;
    };
  }),
  "copies what a source gives, wherever it is cut": conns((conn) => {
    const copyIn = conn.copyIn.bind(conn);
    conn.copyIn = async (sql, source, options) => {
      const pieces: (string | Uint8Array)[] = [];
      for await (const piece of source) pieces.push(piece, "\n");
      return copyIn(sql, pieces, options);
    };
  }),
  "copies nothing of a source that throws": conns((conn) => {
    const copyIn = conn.copyIn.bind(conn);
    conn.copyIn = async (sql, source, options) => {
      const read: (string | Uint8Array)[] = [];
      try {
        for await (const piece of source) read.push(piece);
      } catch (error) {
        await copyIn(sql, read, options);
        throw error;
      }
      return copyIn(sql, read, options);
    };
  }),
  "hears what others notify, until it listens no more": conns((conn) => {
    conn.unlisten = async () => undefined;
  }),
};

/** For each case, by its name. */
export const BROKEN: Readonly<Record<string, Break>> = {
  ...connecting,
  ...statements,
  ...rows,
  ...prepared,
  ...abortedBefore,
  ...BROKEN_SESSIONS,
  ...resultSets,
  ...capabilities,
  ...extensions,
};

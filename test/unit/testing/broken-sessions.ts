// The second half of the broken drivers: aborts in the middle, transactions, resets and losses.

import type { OperationOptions, TxOptions } from "../../../packages/forebay/src/driver/driver.ts";
import { BadConnError } from "../../../packages/forebay/src/driver/errors.ts";
import {
  type Break,
  conns,
  never,
  nexts,
  operation,
  queries,
  stmtQueries,
  stmts,
} from "./break-driver.ts";
import type { ToyConn } from "./toy-driver.ts";

/**
 * Rejects with an error of its own if the signal was aborted in the very turn in which the call was
 * made.
 */
async function missingAbort<T>(
  sql: string,
  options: OperationOptions | undefined,
  call: () => Promise<T>,
): Promise<T> {
  const calling = call();
  calling.catch(() => undefined);
  await Promise.resolve();
  const isMissed = sql === "SLOW" && options?.signal?.aborted === true;
  return calling.catch((error: unknown) => {
    throw isMissed ? new Error("some error of its own") : error;
  });
}

const duringAbort: Readonly<Record<string, Break>> = {
  "stops query when its signal is aborted": queries(({ sql, options, real }) =>
    missingAbort(sql, options, real),
  ),
  "stops stream when its signal is aborted": nexts((next, { sql, options }) =>
    missingAbort(sql, options, next),
  ),
  "stops stmt.query when its signal is aborted": stmtQueries(({ sql, options, real }) =>
    missingAbort(sql, options, real),
  ),
  "stops stmt.stream when its signal is aborted": stmts((stmt, sql) => {
    const stream = stmt.stream.bind(stmt);
    stmt.stream = async (args, options) => {
      const rows = await stream(args, options);
      const next = rows.next.bind(rows);
      rows.next = () => missingAbort(sql, options, next);
      return rows;
    };
  }),
};

const aborts: Readonly<Record<string, Break>> = {
  "does not carry out what was aborted before": queries(
    async ({ conn, sql, args, options, real }) => {
      if (sql === "INSERT ?" && options?.signal?.aborted === true) conn.result(sql, args);
      return real();
    },
  ),
  "stops rows between two portions when their signal is aborted": nexts(
    async (next, { sql, options }) =>
      sql === "SERIES 5000" && options?.signal?.aborted === true ? undefined : next(),
  ),
  "keeps a prepared statement whose run was aborted": stmts((stmt) => {
    const query = stmt.query.bind(stmt);
    const signals: AbortSignal[] = [];
    stmt.query = async (args, options) => {
      if (signals.some((signal) => signal.aborted)) throw new Error("the statement is gone");
      const { signal } = options ?? {};
      if (signal?.aborted === false) signals.push(signal);
      return query(args, options);
    };
  }),
  "takes no notice of a signal that is aborted after the end": conns((conn) => {
    const ping = conn.ping.bind(conn);
    const query = conn.query.bind(conn);
    let ended: AbortSignal | undefined;
    conn.ping = async (options) => {
      await ping(options);
      if (options?.signal?.aborted === false) ended = options.signal;
    };
    conn.query = async (...args) => {
      if (ended?.aborted === true) throw new Error("hit by a late abort");
      return query(...args);
    };
  }),
  "never lets an abort hit a later statement": conns((conn) => {
    const query = conn.query.bind(conn);
    let untilHit = 0;
    conn.query = async (sql, args, options) => {
      untilHit -= 1;
      if (untilHit === 0) throw new Error("cancelled");
      try {
        return await query(sql, args, options);
      } finally {
        if (sql === "SLOW" && options?.signal?.aborted === true) untilHit = 2;
      }
    };
  }),
  "ends a short operation that is aborted in one way or the other": conns((conn) => {
    const begin = conn.begin.bind(conn);
    conn.begin = async (tx, options) => {
      await begin(tx, options);
      if (options?.signal?.aborted === true) throw new Error("some error of its own");
    };
  }),
  "does not claim that a commit was stopped when it was not": conns((conn) => {
    const commit = conn.commit.bind(conn);
    conn.commit = async (options) => {
      await commit(options);
      options?.signal?.throwIfAborted();
    };
  }),
  "leaves no listener on a signal": operation("ping", (options) => {
    options?.signal?.addEventListener("abort", () => undefined);
    return undefined;
  }),
};

function begins(change: (tx: TxOptions) => TxOptions): Break {
  return conns((conn) => {
    const begin = conn.begin.bind(conn);
    conn.begin = (tx, options) => begin(change(tx), options);
  });
}

const transactions: Readonly<Record<string, Break>> = {
  commits: conns((conn) => {
    const commit = conn.commit.bind(conn);
    conn.commit = (options) => {
      if (options === undefined) conn.tx?.inserted.splice(0);
      return commit(options);
    };
  }),
  "rolls back": conns((conn) => {
    const prepare = conn.prepare.bind(conn);
    const rollback = conn.rollback.bind(conn);
    let hasPrepared = false;
    conn.prepare = (...args) => {
      hasPrepared = true;
      return prepare(...args);
    };
    conn.rollback = (options) => {
      if (!hasPrepared && conn.tx?.isSpoilt === false) conn.toy.table.push(...conn.tx.inserted);
      return rollback(options);
    };
  }),
  "rolls back a transaction in which a statement failed": conns((conn) => {
    const rollback = conn.rollback.bind(conn);
    conn.rollback = (options) => {
      if (conn.tx?.isSpoilt === true) conn.toy.table.push(...conn.tx.inserted);
      return rollback(options);
    };
  }),
  "says so when the server rolls back instead of committing": conns((conn) => {
    const commit = conn.commit.bind(conn);
    conn.commit = (options) => (conn.tx?.isSpoilt === true ? conn.rollback() : commit(options));
  }),
  "begins with each isolation level that the database has": begins(({ isolation, ...tx }) =>
    isolation === "serializable" ? tx : { ...tx, isolation },
  ),
  "refuses isolation levels that the database does not have": begins(({ isolation, ...tx }) =>
    (isolation as string) === "chaos" ? tx : { ...tx, isolation },
  ),
  "begins read-only transactions, or refuses to": begins((tx) => ({ ...tx, readOnly: false })),
  "begins deferrable transactions, or refuses to": begins((tx) => ({ ...tx, deferrable: false })),
};

/** Follows whether a slow statement was aborted. */
function withAborts(change: (conn: ToyConn, wasAborted: () => boolean) => void): Break {
  return conns((conn) => {
    const query = conn.query.bind(conn);
    let wasAborted = false;
    conn.query = async (sql, args, options) => {
      try {
        return await query(sql, args, options);
      } finally {
        wasAborted ||= sql === "SLOW" && options?.signal?.aborted === true;
      }
    };
    change(conn, () => wasAborted);
  });
}

const sessions: Readonly<Record<string, Break>> = {
  "is valid while nothing is wrong": conns((conn) => {
    const isValid = conn.isValid.bind(conn);
    conn.isValid = () => Number(isValid()) as unknown as boolean;
  }),
  "has nothing to reset where nothing is open": conns((conn) => {
    const commit = conn.commit.bind(conn);
    const resetSession = conn.resetSession.bind(conn);
    let hasCommitted = false;
    conn.commit = (options) => {
      hasCommitted = true;
      return commit(options);
    };
    conn.resetSession = () => resetSession() ?? (hasCommitted ? Promise.resolve() : undefined);
  }),
  "ends an open transaction when the session is reset": conns((conn) => {
    const resetSession = conn.resetSession.bind(conn);
    conn.resetSession = () => (conn.tx?.isSpoilt === true ? undefined : resetSession());
  }),
  "waits for what an abort left unsettled when the session is reset": withAborts(
    (conn, wasAborted) => {
      const resetSession = conn.resetSession.bind(conn);
      conn.resetSession = () => resetSession() ?? (wasAborted() ? Promise.resolve() : undefined);
    },
  ),
  "rolls back a transaction that was aborted when the session is reset": withAborts(
    (conn, wasAborted) => {
      const resetSession = conn.resetSession.bind(conn);
      conn.resetSession = () => (wasAborted() ? undefined : resetSession());
    },
  ),
  "answers a ping": operation("ping", (options) =>
    options === undefined ? Promise.reject(new Error("no answer")) : undefined,
  ),
};

const losses: Readonly<Record<string, Break>> = {
  "notices that an idle connection is lost": (toy) => {
    let kills = 0;
    conns((conn) => {
      const kill = conn.kill.bind(conn);
      conn.kill = () => {
        kills += 1;
        if (kills === 1) conn.inner.isDead = true;
        else kill();
      };
    })(toy);
  },
  "reports a loss once": conns((conn, { onLost }) => {
    const query = conn.query.bind(conn);
    conn.query = (...args) => {
      if (conn.inner.isDead) onLost(new Error("lost, again"));
      return query(...args);
    };
  }),
  "is not valid after a loss": conns((conn) => {
    conn.isValid = () => true;
  }),
  "rejects what is under way when the connection is lost, and does not call it unsent": queries(
    async ({ conn, real }) =>
      real().catch((error: unknown) => {
        throw conn.inner.isDead ? new BadConnError("lost") : error;
      }),
  ),
  "rejects rows whose connection is lost, and never ends them as if they were whole": nexts(
    async (next, { conn }) =>
      next().catch((error: unknown) => {
        if (conn.inner.isDead) return undefined;
        throw error;
      }),
  ),
  "says BadConnError only of what was not carried out": queries(
    async ({ conn, sql, args, real }) => {
      if (conn.inner.isDead && sql === "INSERT ?") conn.result(sql, args);
      return real();
    },
  ),
  "rejects every call on a lost connection": conns((conn) => {
    const begin = conn.begin.bind(conn);
    conn.begin = async (...args) => (conn.inner.isDead ? undefined : begin(...args));
  }),
  "does not claim to have committed on a lost connection": conns((conn) => {
    const commit = conn.commit.bind(conn);
    conn.commit = (options) => {
      if (conn.inner.isDead) conn.commitNow();
      return commit(options);
    };
  }),
  "closes a lost connection": conns((conn) => {
    const query = conn.query.bind(conn);
    const close = conn.close.bind(conn);
    let isUsed = false;
    conn.query = (...args) => {
      isUsed = true;
      return query(...args);
    };
    conn.close = () => (conn.inner.isDead && !isUsed ? never() : close());
  }),
};

/** For each case, by its name. */
export const BROKEN_SESSIONS: Readonly<Record<string, Break>> = {
  ...duringAbort,
  ...aborts,
  ...transactions,
  ...sessions,
  ...losses,
};

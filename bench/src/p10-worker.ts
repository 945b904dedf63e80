// One contender of P10, in a process of its own. What is measured is the heap after a full
// collection, before and after so many things were made; what they are kept in is made before.

import { getEventListeners } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { queryObjects } from "node:v8";
import { openDB, type Stmt } from "forebay";
import { Pool, type PooledConn } from "forebay/pool";
import { openPostgres, postgres as connector } from "forebay/postgres";
import pg from "pg";
import postgres from "postgres";
import { accessFromEnvironment, POINT_SELECT } from "./access.ts";
import { collectGarbage, type Figures, serve } from "./contest.ts";
import { type ContenderName, makeContender } from "./pools.ts";

/** For what has ended to be let go of: by sockets, and by timers that look now and then. */
const SETTLE_MS = 200;
const CALLERS = 64;
const CONNECTIONS = 4;
const DEPTH = 64;
/** Of the queries of `retained`, one in so many is given up. */
const ABORT_EVERY = 100;

const access = accessFromEnvironment();
const { host, port, user, password, database } = access;
const where = { host, port, user, password, database };
const target = { ...where, sslMode: "disable" } as const;
const contender = process.argv[2] ?? "";

async function settledMemory() {
  await delay(SETTLE_MS);
  collectGarbage();
  collectGarbage();
  return process.memoryUsage();
}

/** What each of so many takes, of the heap and in buffers outside. */
async function bytesEach(amount: number, make: () => Promise<void> | void): Promise<Figures> {
  const before = await settledMemory();
  await make();
  const after = await settledMemory();
  return {
    bytes: (after.heapUsed - before.heapUsed) / amount,
    bufferBytes: (after.external - before.external) / amount,
  };
}

/** So many who wait for the one connection. They are served when it has been measured. */
async function waitersOf<T>(
  amount: number,
  acquire: (place: number) => Promise<T>,
  release: (taken: T) => void,
  held: T,
): Promise<Figures> {
  const waiting: Promise<T>[] = Array.from({ length: amount });
  const figures = await bytesEach(amount, () => {
    for (let place = 0; place < amount; place++) waiting[place] = acquire(place);
  });
  const served = waiting.map(async (one) => release(await one));
  release(held);
  await Promise.all(served);
  return figures;
}

async function waiter(amount: number): Promise<Figures> {
  const pool = makeContender(contender as ContenderName, { connections: 1, dialMs: 0 });
  const held = await pool.acquire();
  return await waitersOf(
    amount,
    () => pool.acquire(),
    (taken) => pool.release(taken),
    held,
  );
}

async function signalledWaiter(amount: number): Promise<Figures> {
  const fake = { name: "fake", connect: async (): Promise<PooledConn> => ({ close() {} }) };
  const pool = new Pool(fake, { maxOpenConns: 1 });
  const held = await pool.acquire();
  const signals = Array.from({ length: amount }, () => new AbortController().signal);
  const acquire = (place: number) => pool.acquire({ signal: signals[place] });
  return await waitersOf(amount, acquire, (lease) => lease.release(), held);
}

async function resource(amount: number): Promise<Figures> {
  const name = contender as ContenderName;
  const pool = makeContender(name, { connections: amount, dialMs: 0 });
  const takeAll = () => Promise.all(Array.from({ length: amount }, () => pool.acquire()));
  const figures = await bytesEach(amount, async () => {
    for (const taken of await takeAll()) pool.release(taken);
  });
  // Left idle, they would go in a while: while something else is measured.
  for (const taken of await takeAll()) pool.discard(taken);
  return figures;
}

interface Leased {
  query(aid: number): Promise<unknown>;
  release(): unknown;
}

interface ClientPool {
  lease(): Promise<Leased>;
  close(): Promise<void>;
}

const CLIENTS: Readonly<Record<string, (connections: number) => ClientPool>> = {
  forebay: (connections) => {
    const limits = { maxOpenConns: connections, maxIdleConns: connections };
    const db = openPostgres(target, limits);
    const lease = async () => {
      const conn = await db.conn();
      return {
        query: (aid: number) => conn.queryRow(POINT_SELECT, [aid]),
        release: () => conn.close(),
      };
    };
    return { lease, close: () => db.close() };
  },
  pg: (connections) => {
    const pool = new pg.Pool({ ...where, max: connections, idleTimeoutMillis: 0 });
    const lease = async () => {
      const client = await pool.connect();
      const query = { name: "balance", text: POINT_SELECT };
      return {
        query: (aid: number) => client.query({ ...query, values: [aid] }),
        release: () => client.release(),
      };
    };
    return { lease, close: () => pool.end() };
  },
  "postgres.js": (connections) => {
    const sql = postgres({ ...where, username: user, max: connections });
    const lease = async () => {
      const reserved = await sql.reserve();
      return {
        query: (aid: number) =>
          reserved`select abalance from pgbench_accounts where aid = ${aid}`.execute(),
        release: () => reserved.release(),
      };
    };
    return { lease, close: () => sql.end() };
  },
};

/** All have run one statement, and are idle. The first, with all that it loads, is not counted. */
async function connection(amount: number): Promise<Figures> {
  const client = CLIENTS[contender]?.(amount + 1);
  if (client === undefined) throw new Error(`there is no contender ${contender}`);
  const use = async (connections: number) => {
    const all = await Promise.all(Array.from({ length: connections }, () => client.lease()));
    await Promise.all(all.map((one, place) => one.query(place + 1)));
    for (const one of all) await one.release();
  };
  await use(1);
  const figures = await bytesEach(amount, () => use(amount + 1));
  await client.close();
  return figures;
}

function texts(amount: number): string[] {
  return Array.from({ length: amount }, (_, i) => `select $1::int4 + ${i} as n`);
}

async function statement(amount: number): Promise<Figures> {
  const db = openDB(connector(target), { maxOpenConns: 1 });
  const all = texts(amount);
  const stmts: Stmt[] = [];
  await db.queryRow("select 1");
  const figures = await bytesEach(amount, async () => {
    for (const [i, text] of all.entries()) {
      const stmt = await db.prepare(text);
      await stmt.queryRow([i]);
      stmts.push(stmt);
    }
  });
  for (const stmt of stmts) await stmt.close();
  await db.close();
  return figures;
}

async function text(amount: number): Promise<Figures> {
  const db = openDB(connector({ ...target, statementCacheMax: amount + 1 }), { maxOpenConns: 1 });
  const all = texts(amount);
  await db.queryRow("select 1");
  const figures = await bytesEach(amount, async () => {
    for (const [i, one] of all.entries()) {
      await db.queryRow(one, [i]);
      await db.queryRow(one, [i]);
    }
  });
  await db.close();
  return figures;
}

/** The class of Node's timers, which it does not export. */
const Timeout = setTimeout(() => undefined, 0).constructor;

async function census(shared: AbortSignal) {
  const { heapUsed } = await settledMemory();
  return {
    heap: heapUsed,
    listeners: getEventListeners(shared, "abort").length,
    timers: queryObjects(Timeout) as number,
    signals: queryObjects(AbortSignal) as number,
  };
}

/**
 * Queries that are pipelined and have signals: every other one a signal of its own, the rest one
 * that all share. Some are given up while they are under way.
 */
async function queryWithSignals(
  db: ReturnType<typeof openPostgres>,
  count: number,
  shared: AbortSignal,
): Promise<void> {
  let left = count;
  const call = async () => {
    while (left > 0) {
      left -= 1;
      const own = left % 2 === 0 ? new AbortController() : undefined;
      const signal = own?.signal ?? shared;
      const asked = db.queryRow(POINT_SELECT, [1 + (left % access.rows)], { signal });
      if (own === undefined || left % ABORT_EVERY !== 0) {
        await asked;
      } else {
        own.abort(GIVEN_UP);
        await asked.catch((error: unknown) => {
          if (error !== GIVEN_UP) throw error;
        });
      }
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, call));
}

const GIVEN_UP = new Error("given up");

/** What is alive after a fifth, after three and at the end; nothing of it outlives this. */
async function censuses(amount: number, shared: AbortSignal) {
  const db = openPostgres(target, { maxOpenConns: CONNECTIONS, pipelining: { depth: DEPTH } });
  const found = [];
  for (const fifths of [1, 2, 2]) {
    await queryWithSignals(db, (amount / 5) * fifths, shared);
    found.push(await census(shared));
  }
  await db.close();
  return found;
}

async function retained(amount: number): Promise<Figures> {
  const { signal: shared } = new AbortController();
  const atFirst = await census(shared);
  const [fifth = atFirst, middle = atFirst, end = atFirst] = await censuses(amount, shared);
  const closed = await census(shared);
  return {
    heapFifth: fifth.heap,
    heapMiddle: middle.heap,
    heapEnd: end.heap,
    listeners: Math.max(fifth.listeners, middle.listeners, end.listeners),
    timers: end.timers - fifth.timers,
    signals: end.signals - fifth.signals,
    timersAfterClose: closed.timers - atFirst.timers,
  };
}

serve({ waiter, signalledWaiter, resource, connection, statement, text, retained });

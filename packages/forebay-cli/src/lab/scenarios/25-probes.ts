// Scenario 25, what works of all that needs a session of the server: tried without a pooler, and
// behind PgBouncer in session and in transaction mode.

import { detectPooler, Listener, notify, withAdvisoryLock } from "forebay/postgres";
import { pause } from "../clock.ts";
import { failureKind } from "../failures.ts";
import type { PoolerConnection } from "../pgbouncer.ts";
import type { LabDb } from "../pools.ts";
import type { ScenarioContext } from "../scenario.ts";
import { collectWarnings } from "../warnings.ts";

/** How the server is reached. */
export type Way = "direct" | "session" | "transaction";

/** Connections of the pools that stand for processes, and what PgBouncer may have. */
export const CROWD = { pools: 3, connections: 10, behind: 5 } as const;

/** The ways, in the order of the report. */
export const WAYS: readonly Way[] = ["direct", "session", "transaction"];

/** What came of the trials in one way. `ok`, or the code of the failure. */
export interface Probes {
  readonly detected: string;
  /** Queries with parameters, while their session was somebody else's in between. */
  readonly queries: number;
  readonly failedQueries: number;
  readonly warnings: readonly string[];
  /** A client's first transaction in another session: by default, and with cache-describe. */
  readonly firstTx: string;
  readonly firstTxAdvised: string;
  readonly stmt: string;
  readonly listen: string;
  readonly sessionLock: string;
  readonly txLock: string;
  /** Trials of settings, and how often another client saw one: by SET, and by SET LOCAL. */
  readonly settings: number;
  readonly setLeaked: number;
  readonly setLocalLeaked: number;
  /** Processes of the server that ran the queries of one Conn, and the most of one transaction. */
  readonly connProcesses: number;
  readonly txProcesses: number;
}

const QUERIES = 20;
const SETTINGS = 5;
const PID_SQL = "SELECT pg_backend_pid() AS pid";

/** Two clients, of which each has a pool. */
interface Clients {
  readonly db: LabDb;
  readonly other: LabDb;
}

/** Tries everything in one way. */
export async function runProbes(
  context: ScenarioContext,
  connection: PoolerConnection | undefined,
): Promise<Probes> {
  const open = (maxOpenConns: number, statementMode?: "cache-describe"): LabDb =>
    context.pools.openDb({
      maxOpenConns,
      maxIdleConns: maxOpenConns,
      connection: { ...connection, ...(statementMode === undefined ? {} : { statementMode }) },
    });
  // Only the client that is looked at relies on prepared statements.
  const clients = { db: open(1), other: open(1, "cache-describe") };
  const wide = open(2, "cache-describe");
  const detected = await detectPooler(clients.db, { signal: context.signal });
  let firstTx = "";
  await collectWarnings(context.clock, async () => {
    firstTx = await tryFirstTx({ ...clients, db: open(1) });
  });
  const firstTxAdvised = await tryFirstTx({ ...clients, db: open(1, "cache-describe") });
  let failedQueries = 0;
  const warnings = await collectWarnings(context.clock, async () => {
    failedQueries = await countFailedQueries(clients);
  });
  const probes: Probes = {
    detected,
    queries: QUERIES,
    failedQueries,
    warnings,
    firstTx,
    firstTxAdvised,
    stmt: await tryStmt(clients),
    listen: await tryListen(context, wide),
    sessionLock: await outcomeOf(
      withAdvisoryLock(clients.db, 25_001n, () => Promise.resolve("ok")),
    ),
    txLock: await outcomeOf(
      withAdvisoryLock(clients.db, 25_002n, () => Promise.resolve("ok"), { transaction: true }),
    ),
    settings: SETTINGS,
    ...(await countLeaks(clients)),
    ...(await countProcesses(clients)),
  };
  await Promise.all([clients.db.close(), clients.other.close(), wide.close()]);
  return probes;
}

function outcomeOf(run: Promise<string>): Promise<string> {
  return run.catch(failureKind);
}

/** Has the other client hold what was the session of the first one. */
function whileTaken<T>({ other }: Clients, run: () => Promise<T>): Promise<T> {
  return other.transaction(async (tx) => {
    await tx.query("SELECT 1");
    return run();
  });
}

async function countFailedQueries(clients: Clients): Promise<number> {
  let failed = 0;
  const ask = async (n: number): Promise<void> => {
    const row = await clients.db
      .queryRow<{ n: number }>("SELECT $1::int AS n", [n])
      .catch(() => undefined);
    if (row?.n !== n) failed++;
  };
  await clients.other.ping();
  for (let n = 0; n < QUERIES; n += 2) {
    await ask(n);
    await whileTaken(clients, () => ask(n + 1));
  }
  return failed;
}

async function tryFirstTx(clients: Clients): Promise<string> {
  const sql = "SELECT $1::text AS said";
  await clients.other.ping();
  await clients.db.query(sql, ["kept"]);
  const outcome = await whileTaken(clients, () =>
    outcomeOf(
      clients.db.transaction(async (tx) => (await tx.queryRow<{ said: string }>(sql, ["ok"])).said),
    ),
  );
  await clients.db.close();
  return outcome;
}

async function tryStmt(clients: Clients): Promise<string> {
  await clients.other.ping();
  const stmt = await clients.db.prepare("SELECT $1::text AS said");
  const outcome = await whileTaken(clients, () =>
    outcomeOf(stmt.queryRow<{ said: string }>(["ok"]).then(({ said }) => said)),
  );
  await stmt.close();
  return outcome;
}

const HEARD_WITHIN_MS = 2000;

async function tryListen({ clock, signal }: ScenarioContext, db: LabDb): Promise<string> {
  const listener = new Listener(db);
  const heard = new AbortController();
  const outcome = await outcomeOf(
    listener
      .listen("lab_25", () => heard.abort())
      .then(async () => {
        await notify(db, "lab_25", "through it");
        const either = AbortSignal.any([heard.signal, signal]);
        await pause(clock, HEARD_WITHIN_MS, either).catch(() => undefined);
        return heard.signal.aborted ? "ok" : "not heard";
      }),
  );
  await listener.close();
  signal.throwIfAborted();
  return outcome;
}

async function countLeaks({
  db,
  other,
}: Clients): Promise<Pick<Probes, "setLeaked" | "setLocalLeaked">> {
  let setLeaked = 0;
  let setLocalLeaked = 0;
  const isSeen = async (): Promise<boolean> => {
    const row = await other.queryRow<{ mem: string }>("SELECT current_setting('work_mem') AS mem");
    return row.mem === "77kB";
  };
  for (let trial = 0; trial < SETTINGS; trial++) {
    await db.withConn(async (conn) => {
      await conn.exec("SET work_mem = '77kB'");
      if (await isSeen()) setLeaked++;
    });
    // What another client may have been left with goes with its own reset.
    await other.exec("SET work_mem = DEFAULT");
    await db.exec("SET work_mem = DEFAULT");
    await db.transaction(async (tx) => {
      await tx.exec("SET LOCAL work_mem = '77kB'");
    });
    if (await isSeen()) setLocalLeaked++;
  }
  return { setLeaked, setLocalLeaked };
}

async function countProcesses(
  clients: Clients,
): Promise<Pick<Probes, "connProcesses" | "txProcesses">> {
  const { db } = clients;
  const ofConn = new Set<number>();
  await db.withConn(async (conn) => {
    const ask = async (): Promise<void> => {
      ofConn.add((await conn.queryRow<{ pid: number }>(PID_SQL)).pid);
    };
    for (let turn = 0; turn < QUERIES; turn += 2) {
      await ask();
      await whileTaken(clients, ask);
    }
  });
  let txProcesses = 0;
  for (let turn = 0; turn < QUERIES; turn += 4) {
    const ofTx = new Set<number>();
    await db.transaction(async (tx) => {
      const ask = async (): Promise<void> => {
        ofTx.add((await tx.queryRow<{ pid: number }>(PID_SQL)).pid);
      };
      await ask();
      await whileTaken(clients, ask);
      await ask();
    });
    txProcesses = Math.max(txProcesses, ofTx.size);
  }
  return { connProcesses: ofConn.size, txProcesses };
}

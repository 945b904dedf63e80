// Scenario 11, writes: under faults in the middle of them, and at an old primary that has come back
// read-only.

import { classify } from "forebay/postgres";
import { pause } from "../clock.ts";
import { withDeadline } from "../deadline.ts";
import { countFailure, failureKind } from "../failures.ts";
import type { LabDb } from "../pools.ts";
import type { ScenarioContext } from "../scenario.ts";
import { openFailoverDb } from "./11-arms.ts";
import type { Site } from "./11-faults.ts";
import { type Audit, type Ledger, toldBy } from "./11-ledger.ts";
import { type FailoverPlan, REQUEST_EVERY_MS, type WriteFault } from "./11-plan.ts";

/** What an arm met at an old primary that is read-only. */
export interface ReadOnlyRun {
  readonly resets: boolean;
  /** After the address stands for the new primary. */
  readonly writesAfter: number;
  readonly servedAfter: number;
  readonly refused: number;
  /** From the switch of the address to the first write that was done; NaN when none was. */
  readonly recoveryMs: number;
}

/** What the writers met. */
export interface WritesRun {
  readonly audit: Audit;
  readonly failures: Readonly<Record<string, number>>;
}

const TABLE = "failover_writes";

/** Makes the table on both servers. They do not replicate: each token is written to one of them. */
export async function prepareWrites(context: ScenarioContext, site: Site): Promise<void> {
  for (const server of [site.old, site.next]) {
    await onServer(context, server, (db) => db.exec(`CREATE TABLE ${TABLE} (token text NOT NULL)`));
  }
}

/** Writers at work while connections are cut, go silent, and the server crashes. */
export async function runWrites(
  context: ScenarioContext,
  plan: FailoverPlan,
  site: Site,
  ledger: Ledger,
): Promise<Readonly<Record<string, number>>> {
  const { clock, pools, signal } = context;
  const { next, proxy } = site;
  proxy.setTarget(next);
  const { pingAfterIdleMs, pingTimeoutMs } = plan;
  const endpoint = { url: next.url, port: proxy.port };
  const db = openFailoverDb(context, plan, endpoint, { pingAfterIdleMs, pingTimeoutMs });
  await db.warmUp(plan.connections, { signal });
  const failures: Record<string, number> = {};
  let isOver = false;
  context.loop.begin();
  const writer = async (number: number): Promise<void> => {
    for (let turn = number; !isOver; turn++) {
      const kind = await write(context, plan, { db, ledger, asTx: turn % 2 === 0 });
      if (kind !== undefined) countFailure(failures, kind);
    }
  };
  const writers = Promise.all(Array.from({ length: plan.connections }, (_, at) => writer(at)));
  try {
    for (const fault of plan.writeFaults) {
      await pause(clock, plan.writeMs, signal);
      await strike(fault, site);
    }
    await pause(clock, plan.writeMs, signal);
  } finally {
    isOver = true;
    await writers;
    context.loop.end();
  }
  proxy.cut("rst");
  await pools.closeArms();
  return failures;
}

async function strike(fault: WriteFault, { next, proxy }: Site): Promise<void> {
  if (fault === "crash") await next.restart("immediate");
  else if (fault === "silence") proxy.swallow();
  else proxy.cut(fault === "reset" ? "rst" : "fin");
}

/** One write, in a transaction or not. Gives how it failed, if it did. */
async function write(
  { clock, signal }: ScenarioContext,
  plan: FailoverPlan,
  what: { readonly db: LabDb; readonly ledger: Ledger; readonly asTx: boolean },
): Promise<string | undefined> {
  const { db, ledger, asTx } = what;
  const token = ledger.token();
  // On its way for some milliseconds, so that a fault meets it there.
  const sql = `INSERT INTO ${TABLE} SELECT $1 FROM pg_sleep(0.004)`;
  const run = async (own: AbortSignal): Promise<void> => {
    const options = { signal: own };
    if (asTx) await db.transaction((tx) => tx.exec(sql, [token], options), options);
    else await db.exec(sql, [token], options);
  };
  try {
    await withDeadline(clock, plan.writeDeadlineMs, signal, run);
    ledger.note(token, "done");
    return undefined;
  } catch (error) {
    ledger.note(token, toldBy(error));
    signal.throwIfAborted();
    return failureKind(error);
  }
}

/** Writes while the old primary is back, read-only, and then the address stands for the new one. */
export async function runReadOnly(
  context: ScenarioContext,
  plan: FailoverPlan,
  site: Site,
  ledger: Ledger,
): Promise<ReadOnlyRun[]> {
  const { clock, pools, signal } = context;
  const { old, proxy } = site;
  proxy.setTarget(old);
  await old.restart("fast", { default_transaction_read_only: "on" });
  const endpoint = { url: old.url, port: proxy.port };
  const settings = { pingAfterIdleMs: Infinity, pingTimeoutMs: plan.pingTimeoutMs };
  const arms = [false, true].map((resets) => ({
    resets,
    db: openFailoverDb(context, plan, endpoint, settings),
  }));
  for (const { db } of arms) await db.warmUp(plan.connections, { signal });
  const switched = pause(clock, plan.readOnlyMs, signal).then(() => {
    proxy.setTarget(site.next);
    return clock.nowMs();
  });
  const runs = await Promise.all(
    arms.map((arm) => writeAcross(context, plan, { ...arm, ledger, switched })),
  );
  proxy.cut("rst");
  await pools.closeArms();
  return runs;
}

async function writeAcross(
  context: ScenarioContext,
  plan: FailoverPlan,
  arm: {
    readonly db: LabDb;
    readonly resets: boolean;
    readonly ledger: Ledger;
    readonly switched: Promise<number>;
  },
): Promise<ReadOnlyRun> {
  const { clock, signal } = context;
  const { db, resets, ledger, switched } = arm;
  let switchedAtMs = Infinity;
  const known = switched.then((atMs) => (switchedAtMs = atMs));
  known.catch(() => (switchedAtMs = 0));
  let writesAfter = 0;
  let servedAfter = 0;
  let refused = 0;
  let recoveryMs = Number.NaN;
  while (clock.nowMs() < switchedAtMs + plan.tailMs) {
    const token = ledger.token();
    const isAfter = clock.nowMs() >= switchedAtMs;
    if (isAfter) writesAfter++;
    try {
      await withDeadline(clock, plan.writeDeadlineMs, signal, (own) =>
        db.exec(`INSERT INTO ${TABLE} VALUES ($1)`, [token], { signal: own }),
      );
      ledger.note(token, "done");
      if (isAfter) servedAfter++;
      if (Number.isNaN(recoveryMs)) recoveryMs = Math.max(0, clock.nowMs() - switchedAtMs);
    } catch (error) {
      ledger.note(token, toldBy(error));
      signal.throwIfAborted();
      if (classify(error) === "read-only") {
        refused++;
        if (resets) db.reset();
      }
    }
    await pause(clock, REQUEST_EVERY_MS, signal);
  }
  return { resets, writesAfter, servedAfter, refused, recoveryMs };
}

/** Holds what the writers were told against what both servers have. */
export async function auditWrites(
  context: ScenarioContext,
  site: Site,
  ledger: Ledger,
): Promise<Audit> {
  const tokens: string[] = [];
  for (const server of [site.old, site.next]) {
    const { rows } = await onServer(context, server, (db) =>
      db.query<{ token: string }>(`SELECT token FROM ${TABLE}`),
    );
    for (const { token } of rows) tokens.push(token);
  }
  return ledger.audit(tokens);
}

async function onServer<T>(
  { pools }: ScenarioContext,
  server: { readonly url: string },
  run: (db: LabDb) => Promise<T>,
): Promise<T> {
  const limits = { maxOpenConns: 1, maxIdleConns: 1 };
  const db = pools.openDb(limits, pools.nextName(), server.url);
  try {
    return await run(db);
  } finally {
    await db.close();
  }
}

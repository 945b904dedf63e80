// Scenario 12: how many statements are prepared at the server, and how often, when a pool spreads
// them over its connections. Runs the arms in order; what they show is put together in
// 12-findings.ts.

import { startEmbedded } from "../../server/embedded.ts";
import { failureKind } from "../failures.ts";
import { MessageCounter } from "../message-counter.ts";
import { LabPools } from "../pools.ts";
import { seededLabRandom } from "../random.ts";
import {
  type Findings,
  type Scenario,
  type ScenarioContext,
  ScenarioNotPossible,
} from "../scenario.ts";
import {
  drawPicks,
  prepareItems,
  readHeld,
  runStatements,
  type StatementStage,
  type StatementTurn,
} from "./12-arms.ts";
import { describeStatements } from "./12-findings.ts";
import { ARMS, LIFETIME_MS, MANY, type OneSession, type StatementKey } from "./12-plan.ts";

/** More than the guide's limit of 1,024. */
const ONE_SESSION = 1100;

async function run(context: ScenarioContext): Promise<Findings> {
  if (context.server.kind !== "embedded") {
    throw new ScenarioNotPossible(
      "It counts the messages to the server, for which it starts a server without TLS of its " +
        "own; run it without --dsn and DATABASE_URL.",
    );
  }
  const requests = context.isQuick ? 2000 : 8000;
  const stage = await openStage(context, requests);
  const turns = await runAll(stage, requests);
  stage.context.step("one session", 1500);
  const measured = { requests, turns, oneSession: await askOneSession(stage) };
  return describeStatements(context, measured, await context.judge());
}

/** A server that takes connections without TLS, so that messages can be counted on their way. */
async function openStage(context: ScenarioContext, requests: number): Promise<StatementStage> {
  context.step("starting a server", 2500);
  const server = await startEmbedded({
    maxConnections: MANY + 20,
    settings: { autovacuum: "off" },
    hba: ["host all all 127.0.0.1/32 scram-sha-256"],
    signal: context.signal,
  });
  context.defer(() => server.stop());
  const counter = await MessageCounter.open(server.port);
  context.defer(() => counter.close());
  const pools = new LabPools(server.url, context.random);
  context.defer(() => pools.closeAll());
  await prepareItems(pools);
  const facts = { ...context.facts, postmasterPid: server.pid };
  const picks = drawPicks(seededLabRandom(12), requests);
  return { context: { ...context, facts }, pools, counter, picks };
}

async function runAll(
  stage: StatementStage,
  requests: number,
): Promise<Record<StatementKey, StatementTurn>> {
  const one = (key: StatementKey): Promise<StatementTurn> => {
    stage.context.signal.throwIfAborted();
    stage.context.step(ARMS[key].name, 600 + requests * 0.3);
    return runStatements(stage, ARMS[key], LIFETIME_MS);
  };
  return {
    stmt: await one("stmt"),
    fifo: await one("fifo"),
    lifo: await one("lifo"),
    few: await one("few"),
    capped: await one("capped"),
    stmtCapped: await one("stmtCapped"),
    nothing: await one("nothing"),
    churn: await one("churn"),
  };
}

async function askOneSession({ context, pools }: StatementStage): Promise<OneSession> {
  const { signal } = context;
  const one = { maxOpenConns: 1, maxIdleConns: 1 };
  const db = pools.openDb({ ...one, connection: { statementCacheMax: 2 * ONE_SESSION } });
  const other = pools.openDb(one);
  for (let at = 0; at < ONE_SESSION; at++) await db.query(`SELECT ${at} AS n`, [], { signal });
  const { most } = await readHeld(db, signal);
  const elsewhere = await db.withConn(async (conn) => {
    await conn.exec("PREPARE by_name AS SELECT 1");
    await conn.exec("EXECUTE by_name");
    return other.exec("EXECUTE by_name").then(() => "no error", failureKind);
  });
  await Promise.all([db.close(), other.close()]);
  return { asked: ONE_SESSION, prepared: most, elsewhere };
}

/** Scenario 12 of the guide. */
export const statements: Scenario = {
  id: 12,
  title: "Prepared statements on every connection",
  needs: "no free connections: it starts a server of its own, without TLS",
  expectedMs: 24_000,
  expectedQuickMs: 13_000,
  run,
};

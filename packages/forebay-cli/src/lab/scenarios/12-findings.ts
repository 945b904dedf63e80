// Scenario 12, what the measurements say: verdicts, predictions, plots and advice. Every sentence
// takes its figures from this run.

import { exact } from "../compare.ts";
import { barPlot } from "../plot.ts";
import type { Arm, Findings, Judge, Plot, ScenarioContext } from "../scenario.ts";
import { measuresOf } from "../turn.ts";
import { type Question, verdictOf } from "../verdict.ts";
import { duration, figure, percent } from "../words.ts";
import {
  CALLERS,
  expectedPrepared,
  GUIDE,
  type StatementArm,
  STATEMENTS,
  type StatementTurn,
  zipfShares,
} from "./12-arms.ts";
import { claimOfStatements } from "./12-claim.ts";
import {
  ARMS,
  bytesEach,
  hitRate,
  LIFETIME_MS,
  STATEMENT_KEYS,
  type StatementKey,
  type StatementsMeasured,
} from "./12-plan.ts";

/** Puts the findings together. */
export function describeStatements(
  context: ScenarioContext,
  measured: StatementsMeasured,
  judge: Judge,
): Findings {
  const { turns } = measured;
  const checks = questionsOf(measured).map(judge);
  const { capped, few, fifo, lifo, stmt, stmtCapped } = turns;
  return {
    headline:
      `${STATEMENTS} statements on ${ARMS.stmt.connections} connections became ` +
      `${figure(stmt.held.total)} prepared ones at the server where each connection has its ` +
      `turn, ${figure(lifo.held.total)} where the one used last is used first, and ` +
      `${figure(few.held.total)} with ${ARMS.few.connections} connections; of the requests ` +
      `${percent(hitRate(stmt))}, ${percent(hitRate(lifo))} and ${percent(hitRate(few))} found ` +
      "their statement prepared.",
    experiment: experimentText(measured),
    claim: claimOfStatements(measured),
    forebay: {
      verdict: verdictOf(checks),
      why:
        `By its default, last in first out, Forebay prepared ${figure(lifo.parses)} times for ` +
        `${figure(lifo.executes)} requests, with first in first out ${figure(fifo.parses)} ` +
        `times. With ${ARMS.capped.keepMax ?? 0} kept on each connection no session had more ` +
        `than ${figure(Math.max(capped.held.most, stmtCapped.held.most))}; of Stmts that were ` +
        `closed ${figure(stmt.leftAfterClose ?? Number.NaN)} were left.`,
      checks,
    },
    predictions: predictionsOf(measured),
    arms: STATEMENT_KEYS.map((key) => armOf(ARMS[key], turns[key])),
    plots: plotsOf(measured),
    whatToSet: adviceOf(measured),
    caveats: caveatsOf(context, measured),
  };
}

function questionsOf({ turns }: StatementsMeasured): Question[] {
  const { capped, few, fifo, lifo, nothing, stmt, stmtCapped } = turns;
  const ratio = (name: string, over: StatementTurn, under: StatementTurn, atMost: number) => ({
    name: `Statements prepared at the server: ${name}`,
    estimate: exact(over.held.total / under.held.total),
    threshold: { atMost },
    unit: "×",
    note: `${figure(over.held.total)} and ${figure(under.held.total)}.`,
  });
  const cap = (name: string, turn: StatementTurn, atMost: number): Question => ({
    name,
    estimate: exact(turn.held.most),
    threshold: { atMost },
  });
  return [
    ratio("last in first out over first in first out", lifo, fifo, 0.5),
    ratio(`${ARMS.few.connections} connections over ${ARMS.fifo.connections}`, few, fifo, 0.35),
    {
      name: "Requests that found their statement: last in first out less first in first out",
      estimate: exact((hitRate(lifo) - hitRate(fifo)) * 100),
      threshold: { atLeast: 0 },
      unit: "%",
    },
    cap("Most statements in one session, statementCacheMax 10", capped, ARMS.capped.keepMax ?? 0),
    cap("Most statements in one session, maxStmtsPerConn 10", stmtCapped, 10),
    {
      name: "Prepared, less closed, less still there, with statementCacheMax 10",
      estimate: exact(capped.unaccounted),
      threshold: { from: 0, to: 0 },
      note: `${figure(capped.parses)} prepared and ${figure(capped.closes)} closed by the load.`,
    },
    {
      name: "Statements left of Stmts that were closed",
      estimate: exact(stmt.leftAfterClose ?? Number.NaN),
      threshold: { atMost: 0 },
      note: "After another statement has been prepared on each connection.",
    },
    {
      name: "Statements prepared at the server with cache-describe (negative control)",
      estimate: exact(nothing.held.total),
      threshold: { atMost: 0 },
    },
    {
      name: "Memory of one prepared statement at the server",
      estimate: exact(bytesEach(turns) / 1000),
      threshold: { atLeast: 0.5 },
      unit: "kB",
    },
  ];
}

function predictionsOf({ requests, turns }: StatementsMeasured): Findings["predictions"] {
  const shares = zipfShares(STATEMENTS);
  const spread = (key: StatementKey, sessions: number, theory: string) => ({
    what: `Statements prepared, ${ARMS[key].name}`,
    theory,
    predicted: expectedPrepared(shares, requests, sessions),
    measured: turns[key].held.total,
    unit: "",
  });
  const evenly = "requests spread evenly: each session has what came its way at least once";
  return [
    spread("fifo", ARMS.fifo.connections, evenly),
    spread("few", ARMS.few.connections, evenly),
    spread("lifo", CALLERS, `the same over ${CALLERS} sessions, as many as there are callers`),
  ];
}

function armOf(arm: StatementArm, turn: StatementTurn): Arm {
  return {
    name: arm.name,
    role: arm.role,
    settings: {
      maxOpenConns: arm.connections,
      idleOrder: arm.idleOrder,
      by: arm.by,
      ...(arm.keepMax === undefined
        ? {}
        : { [arm.by === "Stmt" ? "maxStmtsPerConn" : "statementCacheMax"]: arm.keepMax }),
      ...(arm.statementMode === undefined ? {} : { statementMode: arm.statementMode }),
      ...(arm.isShortLived === true ? { connMaxLifetimeMs: LIFETIME_MS } : {}),
    },
    measures: {
      parseMessages: turn.parses,
      executeMessages: turn.executes,
      closeMessages: turn.closes,
      hitPercent: hitRate(turn) * 100,
      // Of short lives most are over when the sessions are asked.
      ...(arm.isShortLived === true
        ? {}
        : {
            preparedAtServer: turn.held.total,
            mostInOneSession: turn.held.most,
            sessions: turn.held.sessions,
            planBytes: turn.held.planBytes,
          }),
      dials: turn.dials,
      ...(turn.leftAfterClose === undefined ? {} : { leftAfterClose: turn.leftAfterClose }),
      ...measuresOf([turn.turn]),
    },
  };
}

function plotsOf({ turns }: StatementsMeasured): Plot[] {
  const bars = (value: (turn: StatementTurn) => number) =>
    STATEMENT_KEYS.map((key) => ({
      name: ARMS[key].name,
      value: value(turns[key]),
      role: ARMS[key].role,
    }));
  return [
    barPlot(
      "Statements prepared at the server after the load",
      `${STATEMENTS} statements, ${CALLERS} callers, ${ARMS.stmt.connections} connections where ` +
        `not said otherwise: at most ${STATEMENTS * ARMS.stmt.connections}. Last in first out ` +
        `leaves ${figure(turns.lifo.held.total)}, first in first out ` +
        `${figure(turns.fifo.held.total)}.`,
      { label: "prepared statements", scale: "linear" },
      // Of an arm with short lives it depends on how old its connections just are.
      bars((turn) => turn.held.total).filter(({ name }) => name !== ARMS.churn.name),
    ),
    barPlot(
      "Requests that did not find their statement prepared",
      `${percent(1 - hitRate(turns.fifo))} with first in first out, ` +
        `${percent(1 - hitRate(turns.lifo))} with last in first out, ` +
        `${percent(1 - hitRate(turns.capped))} where ${ARMS.capped.keepMax ?? 0} are kept.`,
      { label: "% of the requests", scale: "linear" },
      bars((turn) => (1 - hitRate(turn)) * 100),
      (value) => `${figure(value)} %`,
    ),
  ];
}

function adviceOf({ turns }: StatementsMeasured): Findings["whatToSet"] {
  const { capped, fifo, lifo, stmt } = turns;
  return {
    code:
      "openPostgres(url, {\n" +
      "  maxOpenConns: 10, // the first thing to lower\n" +
      '  idleOrder: "lifo", // the default\n' +
      "  maxStmtsPerConn: 256, // the default, for Stmts\n" +
      "  connection: { statementCacheMax: 256 }, // the default, for query, queryRow and exec\n" +
      "})\n\n" +
      "// pgx: statement_cache_capacity · pg: name in each query, no limit · HikariCP: pgjdbc's " +
      "preparedStatementCacheQueries",
    when:
      "Many statements on many connections. Plain query keeps its texts prepared by itself: it " +
      `found ${percent(hitRate(fifo))} of them, Stmts found ${percent(hitRate(stmt))}, over the ` +
      "same connections. Each prepared statement took " +
      `${figure(bytesEach(turns) / 1000)} kB at the server.`,
    notWhen:
      "Do not lower the number that is kept below the number of statements in use: with " +
      `${ARMS.capped.keepMax ?? 0} of ${STATEMENTS} kept ${percent(1 - hitRate(capped))} of the ` +
      `requests had to prepare again, with all kept ${percent(1 - hitRate(fifo))}. Where few ` +
      "callers are busy at once, last in first out does by itself what fewer connections would " +
      `(${figure(lifo.held.total)} prepared).`,
  };
}

function experimentText({ requests }: StatementsMeasured): string {
  return (
    `${figure(requests)} requests by ${CALLERS} callers, each for one of ${STATEMENTS} ` +
    "statements, the n-th asked for in proportion to 1/n, over a pool of " +
    `${ARMS.stmt.connections} connections that are all open (the guide's ${GUIDE.connections} ` +
    "scaled). Parse, Execute and Close messages are counted on their way to the server; then " +
    "every session is asked for its pg_prepared_statements and the memory of its plans. The " +
    "server is one of this scenario's own, without TLS. Nothing is scaled in time."
  );
}

function caveatsOf(context: ScenarioContext, { turns }: StatementsMeasured): string[] {
  const { churn, lifo } = turns;
  const caveats = [
    `At most ${CALLERS} requests were under way at once. With more, last in first out needs as ` +
      "many connections as there are requests, and prepares on each.",
    `A new connection has nothing prepared: with a lifetime of ${duration(LIFETIME_MS)} ` +
      `${figure(churn.dials)} connections were opened instead of ${figure(lifo.dials)}, and ` +
      `${figure(churn.parses)} statements prepared instead of ${figure(lifo.parses)}.`,
    "The messages pass through a relay in this process, so that the latencies are longer than " +
      "without; what is judged is counted.",
  ];
  if (context.isQuick)
    caveats.push("Quick run: fewer requests, so that rare statements weigh more.");
  return caveats;
}

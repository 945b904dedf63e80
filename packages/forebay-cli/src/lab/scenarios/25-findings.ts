// Scenario 25, what the measurements say: verdicts, predictions, plots and advice. Every sentence
// takes its figures from this run.

import { claimOf, part } from "../claim.ts";
import { type Estimate, exact, medianRatio } from "../compare.ts";
import { barPlot, latencyPlot } from "../plot.ts";
import type { Arm, ArmRole, Claim, Findings, Judge, Plot, ScenarioContext } from "../scenario.ts";
import { measuresOf, responseOf, type Turn } from "../turn.ts";
import { type Question, verdictOf } from "../verdict.ts";
import { counted, duration, figure, withInterval } from "../words.ts";
import type { PoolerMeasured } from "./25-behind-pgbouncer.ts";
import { CROWD, type Way, WAYS } from "./25-probes.ts";

const REFUSED = "POOLER_UNSUPPORTED";
const CLIENTS = CROWD.pools * CROWD.connections;
const NAMES: Readonly<Record<Way, string>> = {
  direct: "without a pooler",
  session: "PgBouncer, session mode",
  transaction: "PgBouncer, transaction mode",
};
const ROLES: Readonly<Record<Way, ArmRole>> = {
  direct: "baseline",
  session: "negative control",
  transaction: "change",
};

/** Puts the findings together. */
export function describePooler(
  context: ScenarioContext,
  measured: PoolerMeasured,
  judge: Judge,
): Findings {
  const checks = questionsOf(measured).map(judge);
  const { crowd, dialMs, probes } = measured;
  const price = priceOf(context, measured, "transaction");
  const { transaction } = probes;
  return {
    headline:
      `Behind PgBouncer in transaction mode ${CLIENTS} connections of the pools took ` +
      `${counted(crowd.transaction.peak, "connection")} of the server instead of ` +
      `${figure(crowd.direct.peak)}, and a query took ${withInterval(price)} times as long; a ` +
      `Conn's queries ran in ${counted(transaction.connProcesses, "session")}, and another ` +
      `client had what it had SET in ${transaction.setLeaked} of ${transaction.settings} trials.`,
    experiment: experimentText(measured),
    claim: claimOfPooler(measured),
    forebay: {
      verdict: verdictOf(checks),
      why:
        `Forebay found the mode in ${figure(detectedRight(measured))} of ${WAYS.length} ways; in ` +
        `transaction mode LISTEN gave ${transaction.listen} and an advisory lock of the session ` +
        `${transaction.sessionLock}, one of a transaction ${transaction.txLock}; ` +
        `${figure(transaction.failedQueries)} of ${transaction.queries} queries failed, with ` +
        `${counted(transaction.warnings.length, "warning")}.`,
      checks,
    },
    predictions: [
      {
        what: "Connections of the server behind PgBouncer, transaction mode",
        theory: "as many as it may have (default_pool_size), with more callers than that",
        predicted: CROWD.behind,
        measured: crowd.transaction.peak,
        unit: "",
      },
    ],
    arms: armsOf(measured),
    plots: plotsOf(measured),
    whatToSet: adviceOf(measured),
    caveats: [
      "The first transaction of a client that found its session changed gave " +
        `${transaction.firstTx} in transaction mode by default, ${transaction.firstTxAdvised} ` +
        'with statementMode "cache-describe".',
      "The way to PgBouncer has no TLS here, the way without it has: a connection took " +
        `${duration(dialMs.transaction)} to PgBouncer and ${duration(dialMs.direct)} to the ` +
        "server.",
      "Client, PgBouncer and server share this machine; PgBouncer's own processor time is in no " +
        "figure but the latencies.",
      measured.followsStatements
        ? `PgBouncer ${measured.version} follows prepared statements (max_prepared_statements).`
        : `PgBouncer ${measured.version} does not follow prepared statements; 1.21 and later do, ` +
          "with max_prepared_statements above 0.",
    ],
  };
}

const KINDS: Readonly<Record<Way, string>> = {
  direct: "none",
  session: "session",
  transaction: "transaction",
};

function detectedRight({ probes }: PoolerMeasured): number {
  return WAYS.filter((way) => probes[way].detected === KINDS[way]).length;
}

function priceOf(context: ScenarioContext, { single }: PoolerMeasured, way: Way): Estimate {
  const p50 = (turns: readonly Turn[]): number[] =>
    turns.map((turn) => turn.response.percentileMs(50));
  return medianRatio(p50(single.direct), p50(single[way]), context.random);
}

function questionsOf(measured: PoolerMeasured): Question[] {
  const { followsStatements, probes } = measured;
  const { direct, session, transaction } = probes;
  const yes = (name: string, isTrue: boolean, note?: string): Question => ({
    name: `${name} (1 = yes)`,
    estimate: exact(isTrue ? 1 : 0),
    threshold: { atLeast: 1 },
    ...(note === undefined ? {} : { note }),
  });
  const needing = (way: Way): string =>
    `LISTEN ${probes[way].listen}; lock ${probes[way].sessionLock}.`;
  return [
    {
      name: "Ways of which detectPooler tells the truth",
      estimate: exact(detectedRight(measured)),
      threshold: { atLeast: WAYS.length },
      note: WAYS.map((way) => `${NAMES[way]}: ${probes[way].detected}.`).join(" "),
    },
    {
      name: "Queries that failed because their session was somebody else's, all ways",
      estimate: exact(direct.failedQueries + session.failedQueries + transaction.failedQueries),
      threshold: { atMost: 0 },
      note: `Of ${direct.queries} in each way.`,
    },
    {
      name: "Warnings that prepared statements do not last, transaction mode",
      estimate: exact(transaction.warnings.length),
      threshold: followsStatements ? { atMost: 0 } : { from: 1, to: 1 },
    },
    yes(
      "LISTEN and session locks work directly and in session mode",
      [direct, session].every(({ listen, sessionLock }) => listen === "ok" && sessionLock === "ok"),
      `${NAMES.direct}: ${needing("direct")} ${NAMES.session}: ${needing("session")}`,
    ),
    yes(
      "LISTEN and session locks are refused with a reason in transaction mode",
      transaction.listen === REFUSED && transaction.sessionLock === REFUSED,
      needing("transaction"),
    ),
    yes(
      "withAdvisoryLock with transaction: true works in every way",
      WAYS.every((way) => probes[way].txLock === "ok"),
    ),
    {
      name: "Processes of the server that ran one transaction, at most, transaction mode",
      estimate: exact(transaction.txProcesses),
      threshold: { atMost: 1 },
    },
    {
      name: "SET LOCAL seen by another client, all ways",
      estimate: exact(direct.setLocalLeaked + session.setLocalLeaked + transaction.setLocalLeaked),
      threshold: { atMost: 0 },
    },
    {
      name: "SET on a Conn seen by another client, without a pooler (negative control)",
      estimate: exact(direct.setLeaked),
      threshold: { atMost: 0 },
    },
    {
      name: "First transaction in another session, with cache-describe: failed, all ways",
      estimate: exact(WAYS.filter((way) => probes[way].firstTxAdvised !== "ok").length),
      threshold: { atMost: 0 },
      note: `By default: ${WAYS.map((way) => `${NAMES[way]}: ${probes[way].firstTx}`).join(", ")}.`,
    },
    ...crowdQuestions(measured),
  ];
}

function crowdQuestions({ crowd }: PoolerMeasured): Question[] {
  return [
    {
      name: `Connections of the server for ${CLIENTS} of the pools, without a pooler (baseline)`,
      estimate: exact(crowd.direct.peak),
      threshold: { atLeast: CLIENTS },
    },
    {
      name: `Connections of the server for ${CLIENTS} of the pools, transaction mode`,
      estimate: exact(crowd.transaction.peak),
      threshold: { atMost: CROWD.behind },
    },
  ];
}

function claimOfPooler({ crowd, probes, version }: PoolerMeasured): Claim {
  const { session, transaction } = probes;
  const parts = [
    part(
      "A Conn pins a session (scenario 14): in session mode.",
      session.connProcesses === 1,
      `Its queries ran in ${counted(session.connProcesses, "process", "processes")} of the server.`,
    ),
    part(
      "A Conn pins a session (scenario 14): in transaction mode.",
      transaction.connProcesses === 1,
      `Its queries ran in ${counted(transaction.connProcesses, "process", "processes")}; what it ` +
        `had SET was another client's in ${transaction.setLeaked} of ${transaction.settings} ` +
        "trials.",
    ),
    part(
      "A Stmt is for the lifetime of the application (scenario 6): in transaction mode.",
      transaction.stmt === "ok",
      transaction.stmt === "ok"
        ? `It worked after its session had changed, behind PgBouncer ${version}.`
        : `Its call failed with ${transaction.stmt} when its session had changed, behind ` +
            `PgBouncer ${version}.`,
    ),
    part(
      "pg_stat_activity shows at most MaxOpenConns (scenario 1): of all pools together.",
      crowd.transaction.peak <= CLIENTS,
      `${figure(crowd.transaction.peak)} for ${CLIENTS} connections of the pools, ` +
        `${figure(crowd.direct.peak)} without a pooler: behind one its size is the limit.`,
    ),
  ];
  return claimOf(
    "The guide does not speak of poolers. What it says of Conn, Stmt and MaxOpenConns is held " +
      "here against PgBouncer.",
    parts,
    {
      refuted:
        "In transaction mode a session is had for a transaction only: a Conn had " +
        `${figure(transaction.connProcesses)} of them, and a Stmt gave ${transaction.stmt}. In ` +
        `session mode a Conn had ${figure(session.connProcesses)}.`,
      holds: "What the guide says came out behind PgBouncer, too.",
      inconclusive: "What could be decided came out as the guide says.",
    },
  );
}

function armsOf(measured: PoolerMeasured): Arm[] {
  const { crowd, dialMs, probes, single } = measured;
  const one = WAYS.map((way): Arm => {
    const own = probes[way];
    return {
      name: `${NAMES[way]}, one caller`,
      role: ROLES[way],
      settings: { statementMode: "cache-describe" },
      measures: {
        ...measuresOf(single[way]),
        dialP50Ms: dialMs[way],
        failedQueries: own.failedQueries,
        warnings: own.warnings.length,
        setLeaked: own.setLeaked,
        setLocalLeaked: own.setLocalLeaked,
        processesOfOneConn: own.connProcesses,
        processesOfOneTransaction: own.txProcesses,
      },
      note:
        `detectPooler: ${own.detected}; LISTEN: ${own.listen}; lock of a session: ` +
        `${own.sessionLock}; lock of a transaction: ${own.txLock}; Stmt in another session: ` +
        `${own.stmt}; first transaction in another session: ${own.firstTx}, with cache-describe ` +
        `${own.firstTxAdvised}.`,
    };
  });
  const many = (["direct", "transaction"] as const).map(
    (way): Arm => ({
      name: `${NAMES[way]}, ${CLIENTS} callers`,
      role: ROLES[way],
      settings: {
        pools: CROWD.pools,
        maxOpenConns: CROWD.connections,
        ...(way === "direct" ? {} : { default_pool_size: CROWD.behind }),
      },
      measures: { ...measuresOf([crowd[way].turn]), serverConnectionsMax: crowd[way].peak },
    }),
  );
  return [...one, ...many];
}

function plotsOf({ crowd, single }: PoolerMeasured): Plot[] {
  const p50 = (way: Way): string => duration(responseOf(single[way]).percentileMs(50));
  return [
    latencyPlot(
      "One caller, one query after the other",
      `p50 ${WAYS.map((way) => `${p50(way)} ${NAMES[way]}`).join(", ")}.`,
      WAYS.map((way) => ({
        name: NAMES[way],
        response: responseOf(single[way]),
        style: way === "direct" ? ("line" as const) : ("dashes" as const),
      })),
    ),
    barPlot(
      `Connections of the server for ${CLIENTS} of the pools`,
      `${figure(crowd.direct.peak)} without a pooler, ${figure(crowd.transaction.peak)} behind ` +
        `PgBouncer, which may have ${CROWD.behind}; the median request took ` +
        `${duration(crowd.direct.turn.response.percentileMs(50))} and ` +
        `${duration(crowd.transaction.turn.response.percentileMs(50))}.`,
      { label: "connections", scale: "linear" },
      (["direct", "transaction"] as const).map((way) => ({
        name: NAMES[way],
        value: crowd[way].peak,
        role: ROLES[way],
      })),
    ),
  ];
}

function adviceOf({ crowd, probes }: PoolerMeasured): Findings["whatToSet"] {
  const { transaction } = probes;
  return {
    code:
      "openPostgres(url, {\n" +
      "  maxOpenConns: 5, // of all processes together: about PgBouncer's default_pool_size\n" +
      '  connection: { statementMode: "cache-describe" }, // PgBouncer before 1.21\n' +
      "})\n" +
      'await withAdvisoryLock(db, "job", work, { transaction: true });\n' +
      "await db.transaction((tx) => tx.exec(\"SET LOCAL statement_timeout = '5s'\"));\n\n" +
      "// pgx: QueryExecModeCacheDescribe · pg: no name in queries · HikariCP: pgjdbc's " +
      "prepareThreshold=0",
    when:
      "Many processes with small pools before one server: " +
      `${CLIENTS} connections of the pools took ${figure(crowd.transaction.peak)} of the server.`,
    notWhen:
      "For what needs a session: LISTEN, locks of a session, SET, temporary tables. In " +
      `transaction mode a Conn had ${figure(transaction.connProcesses)} sessions, and of ` +
      `${transaction.settings} settings ${transaction.setLeaked} reached another client. Connect ` +
      "to the server itself for these, or to PgBouncer in session mode.",
  };
}

function experimentText({ rounds, version }: PoolerMeasured): string {
  return (
    `The server is reached directly, and through PgBouncer ${version} in session and in ` +
    `transaction mode. One caller, one query after the other, ${rounds} rounds forward and ` +
    `backward in turn; ${CROWD.pools} pools of ${CROWD.connections} connections, all busy with ` +
    `queries of 2 ms, where PgBouncer may have ${CROWD.behind} connections; and one by one what ` +
    "needs a session, while another client takes the session that was used last. Nothing is " +
    "scaled in time."
  );
}

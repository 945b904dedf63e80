// Scenario 14, what the measurements say: verdicts, predictions, plots and advice. Every sentence
// takes its figures from this run.

import { exact, median, sum } from "../compare.ts";
import { barPlot } from "../plot.ts";
import type { Arm, Findings, Judge, Plot, ScenarioContext } from "../scenario.ts";
import { type Question, type Threshold, verdictOf } from "../verdict.ts";
import { counted, duration, figure, percent } from "../words.ts";
import { claimOfHolders } from "./14-claim.ts";
import type { HolderMeasured } from "./14-conn-vs-tx.ts";
import type { Tally } from "./14-locks.ts";
import {
  HOLDER_KEYS,
  type HolderKey,
  HOLDERS,
  type HolderWay,
  type VacuumTurn,
} from "./14-vacuum.ts";

/** What was seen beside one kind of holder, over all rounds. */
export interface HolderFigures {
  /** Share of the dead rows that vacuum removed while the session was held: least and most. */
  readonly leastRemoved: number;
  readonly mostRemoved: number;
  /** The table's size in the end, over that before. */
  readonly growth: number;
  readonly scanMs: number;
  /** Looks at the session between two of its queries, and how many found it `idle`. */
  readonly looks: number;
  readonly idle: number;
  readonly states: readonly string[];
  readonly withXid: number;
  readonly withXmin: number;
  /** The most server processes that ran one holder's queries. */
  readonly processes: number;
  readonly isDdlFree: boolean;
}

/** By kind of holder. */
export type AllFigures = Readonly<Record<HolderKey, HolderFigures>>;

/** Puts the findings together. */
export function describeHolders(
  context: ScenarioContext,
  measured: HolderMeasured,
  judge: Judge,
): Findings {
  const figures = deriveFigures(measured);
  const checks = questionsOf(measured, figures).map(judge);
  const { conn, read, write, repeatable } = figures;
  const { locks } = measured;
  return {
    headline:
      `Vacuum removed ${percent(conn.leastRemoved)} of the dead rows beside a Conn with an ` +
      `advisory lock, ${percent(write.mostRemoved)} beside a transaction that had written, ` +
      `${percent(repeatable.mostRemoved)} beside one in repeatable read and ` +
      `${percent(read.mostRemoved)} beside one that had only read and rested: after ` +
      `${counted(measured.size.rewrites, "rewrite")} the table was ${figure(conn.growth)} times ` +
      `its size with the Conn, ${figure(write.growth)} times with the transaction that wrote.`,
    experiment: experimentText(measured),
    claim: claimOfHolders(measured, figures),
    forebay: {
      verdict: verdictOf(checks),
      why:
        `Of ${counted(locks.nextHasItAuto.trials, "Conn")} that came back with an advisory lock, ` +
        `${locks.nextHasItAuto.count} left it free for others by Forebay's default, ` +
        `${locks.nextHasItOff.count} with sessionReset "off". Of ` +
        `${counted(locks.lossTold.trials, "holder")} whose session was ended, ` +
        `${locks.lossTold.count} were told, within ${duration(locks.lossToldWithinMs)}.` +
        poolerSentence(measured),
      checks,
    },
    predictions: predictionsOf(measured, figures),
    arms: armsOf(measured, figures),
    plots: plotsOf(measured, figures),
    whatToSet: adviceOf(measured, figures),
    caveats: caveatsOf(context, measured, figures),
  };
}

function poolerSentence({ pooler }: HolderMeasured): string {
  if (pooler === undefined) return "";
  return (
    " Behind PgBouncer in transaction mode two clients had the same lock in " +
    `${pooler.bothHadIt.count} of ${counted(pooler.bothHadIt.trials, "trial")} by ` +
    `pg_advisory_lock on a Conn; withAdvisoryLock refused in ${pooler.refused.count} of ` +
    `${pooler.refused.trials}, and with transaction: true kept the second one out in ` +
    `${pooler.excluded.count} of ${pooler.excluded.trials}.`
  );
}

function deriveFigures({ turns }: HolderMeasured): AllFigures {
  return {
    nobody: figuresOf(turns.nobody),
    conn: figuresOf(turns.conn),
    read: figuresOf(turns.read),
    again: figuresOf(turns.again),
    simple: figuresOf(turns.simple),
    rows: figuresOf(turns.rows),
    write: figuresOf(turns.write),
    repeatable: figuresOf(turns.repeatable),
  };
}

function figuresOf(turns: readonly VacuumTurn[]): HolderFigures {
  const shares = turns.map((turn) => turn.removed / turn.dead);
  return {
    leastRemoved: Math.min(...shares),
    mostRemoved: Math.max(...shares),
    growth: median(turns.map((turn) => turn.growth.at(-1) ?? Number.NaN)),
    scanMs: median(turns.map((turn) => turn.scanMs)),
    looks: sum(turns.flatMap((turn) => Object.values(turn.states))),
    idle: sum(turns.map((turn) => turn.states["idle"] ?? 0)),
    states: [...new Set(turns.flatMap((turn) => Object.keys(turn.states)))],
    withXid: sum(turns.map((turn) => turn.withXid)),
    withXmin: sum(turns.map((turn) => turn.withXmin)),
    processes: Math.max(...turns.map((turn) => turn.processes)),
    isDdlFree: turns.every((turn) => turn.isDdlFree),
  };
}

function questionsOf(measured: HolderMeasured, figures: AllFigures): Question[] {
  const { conn, nobody } = figures;
  const { locks, pooler } = measured;
  const voidedBy =
    nobody.leastRemoved >= 0.99
      ? undefined
      : `with no session held vacuum removed only ${percent(nobody.leastRemoved)}: somebody ` +
        "else's transaction held it up.";
  const removed = (key: HolderKey, value: number, threshold: Threshold): Question => ({
    name: `Dead rows that vacuum removed: ${HOLDERS[key].name}`,
    estimate: exact(value * 100),
    threshold,
    unit: "%",
    voidedBy,
  });
  return [
    removed("conn", conn.leastRemoved, { atLeast: 99 }),
    // A transaction that has only read and rests is in no check: with a driver that lets the
    // server close each result at once vacuum would remove all, with others it removes nothing.
    removed("again", figures.again.leastRemoved, { atLeast: 99 }),
    removed("simple", figures.simple.leastRemoved, { atLeast: 99 }),
    removed("rows", figures.rows.mostRemoved, { atMost: 5 }),
    removed("write", figures.write.mostRemoved, { atMost: 5 }),
    removed("repeatable", figures.repeatable.mostRemoved, { atMost: 5 }),
    {
      name: "Looks between two queries that found the Conn's session idle",
      estimate: exact((conn.idle / conn.looks) * 100),
      threshold: { atLeast: 100 },
      unit: "%",
      note: `${conn.idle} of ${conn.looks}.`,
    },
    all("Conn came back locked: the next session gets the lock, by default", locks.nextHasItAuto),
    {
      name: 'The same with sessionReset "off", as database/sql leaves it (negative control)',
      estimate: exact(locks.nextHasItOff.count),
      threshold: { atMost: 0 },
      note: `Of ${locks.nextHasItOff.trials}.`,
    },
    all("withAdvisoryLock, function threw: the lock is free", locks.nextHasItAfterThrow),
    all("withAdvisoryLock, session ended: the function is told (LOCK_LOST)", locks.lossTold),
    ...(pooler === undefined
      ? []
      : [
          all("PgBouncer, transaction mode: withAdvisoryLock refuses, with a hint", pooler.refused),
          all("PgBouncer, transaction mode: transaction: true excludes others", pooler.excluded),
        ]),
  ];
}

function all(name: string, { count, trials }: Tally): Question {
  return { name, estimate: exact(count), threshold: { atLeast: trials }, note: `Of ${trials}.` };
}

function predictionsOf(measured: HolderMeasured, figures: AllFigures): Findings["predictions"] {
  const { rewrites } = measured.size;
  return [
    {
      what: "Table beside a Conn, over its size before",
      theory: "each rewrite goes where vacuum has removed the one before",
      predicted: 2,
      measured: figures.conn.growth,
      unit: "×",
    },
    {
      what: "Table beside a transaction that has written, over its size before",
      theory: "nothing is removed: one more for each rewrite",
      predicted: 1 + rewrites,
      measured: figures.write.growth,
      unit: "×",
    },
  ];
}

function armsOf(measured: HolderMeasured, figures: AllFigures): Arm[] {
  return HOLDER_KEYS.map((key) => {
    const way: HolderWay = HOLDERS[key];
    const turns = measured.turns[key];
    const own = figures[key];
    return {
      name: way.name,
      role: way.role,
      settings: {
        rows: measured.size.rows,
        rewrites: measured.size.rewrites,
        ...(way.isolation === undefined ? {} : { isolation: way.isolation }),
        ...(way.kind === "nobody" ? {} : { protocol: way.protocol ?? "extended" }),
      },
      measures: {
        deadRows: sum(turns.map((turn) => turn.dead)),
        removedRows: sum(turns.map((turn) => turn.removed)),
        keptRows: sum(turns.map((turn) => turn.kept)),
        tableGrowth: own.growth,
        tableScanMs: own.scanMs,
        ...(key === "nobody"
          ? {}
          : {
              looks: own.looks,
              looksIdle: own.idle,
              looksWithXid: own.withXid,
              looksWithXmin: own.withXmin,
            }),
        ddlPossible: own.isDdlFree ? 1 : 0,
      },
    };
  });
}

function plotsOf(measured: HolderMeasured, figures: AllFigures): Plot[] {
  const { size, turns } = measured;
  const points = (key: HolderKey): (readonly [number, number])[] => [
    [0, 1],
    ...(turns[key][0]?.growth ?? []).map((times, at) => [at + 1, times] as const),
  ];
  const transactions = HOLDER_KEYS.filter((key) => HOLDERS[key].kind === "tx");
  return [
    {
      kind: "lines",
      title: "Size of the table while the session is held",
      note:
        `Each step rewrites all ${figure(size.rows)} rows and vacuums: in the end ` +
        `${figure(figures.conn.growth)} times the size beside a Conn, ` +
        `${figure(figures.read.growth)} times beside a transaction that has only read and rests, ` +
        `${figure(figures.write.growth)} times beside one that has written.`,
      x: { label: "rewrites", scale: "linear" },
      y: { label: "times the size before", scale: "linear" },
      series: [
        { name: HOLDERS.conn.name, points: points("conn"), style: "line" },
        { name: HOLDERS.read.name, points: points("read"), style: "dots" },
        { name: HOLDERS.again.name, points: points("again"), style: "dashes" },
        { name: HOLDERS.write.name, points: points("write"), style: "line" },
        { name: HOLDERS.repeatable.name, points: points("repeatable"), style: "dashes" },
      ],
    },
    barPlot(
      "Dead rows that vacuum removed while the session was held",
      `Of ${figure(size.rows * size.rewrites)} dead rows in each round. Of ` +
        `${transactions.length} kinds of ` +
        `transaction ${transactions.filter((key) => figures[key].mostRemoved === 0).length} kept ` +
        "vacuum from removing any.",
      { label: "%", scale: "linear" },
      HOLDER_KEYS.map((key) => ({
        name: HOLDERS[key].name,
        value: figures[key].mostRemoved * 100,
        role: HOLDERS[key].role,
      })),
      (value) => `${figure(value)} %`,
    ),
  ];
}

function adviceOf({ size }: HolderMeasured, figures: AllFigures): Findings["whatToSet"] {
  return {
    code:
      "// one job at a time; `on` is the session that has the lock\n" +
      'await withAdvisoryLock(db, "nightly-report", async ({ signal, on }) => {\n' +
      '  for (const part of parts) await on.exec("…", [part], { signal });\n});\n\n' +
      "// behind a pooler in transaction mode, and for short work only\n" +
      'await withAdvisoryLock(db, "nightly-report", work, { transaction: true });\n\n' +
      "// database/sql: db.Conn(ctx), conn.Close() · pg: pool.connect(), client.release()\n" +
      "// HikariCP: getConnection() with autoCommit · server: idle_in_transaction_session_timeout",
    when:
      "Work of seconds or longer that needs one session: advisory locks, temporary tables, SET. " +
      "Between two statements nothing is held but the lock and the connection.",
    notWhen:
      "What must be done all or not at all belongs in a transaction, kept short: in " +
      `${counted(size.rewrites, "rewrite")} the table grew to ${figure(figures.write.growth)} ` +
      `times its size beside one that had written, to ${figure(figures.conn.growth)} times ` +
      "beside the Conn. A Conn takes one connection of the pool for as long as it is held; give " +
      "many of them a bulkhead.",
  };
}

function experimentText({ rounds, size }: HolderMeasured): string {
  return (
    "One session is held in one of eight ways, while another client rewrites a table of " +
    `${figure(size.rows)} rows (UPDATE of all) and vacuums it, ${size.rewrites} times; between ` +
    "the two the session runs a query, or rests, and is looked at in pg_stat_activity. " +
    `${counted(rounds, "round")}. What VACUUM (VERBOSE) says it removed is counted, and so is ` +
    "what becomes of advisory locks. Nothing is timed against a clock: a session that is held " +
    "for hours holds up what is rewritten in hours."
  );
}

function caveatsOf(
  context: ScenarioContext,
  measured: HolderMeasured,
  figures: AllFigures,
): string[] {
  const blocked = HOLDER_KEYS.filter((key) => !figures[key].isDdlFree).map(
    (key) => HOLDERS[key].name,
  );
  const { read, simple } = figures;
  const caveats = [
    blocked.length === 0
      ? "No holder kept the table that it had read from being locked for ALTER TABLE."
      : "A change of the table that the holder had read (ACCESS EXCLUSIVE) had to wait beside: " +
        `${blocked.join("; ")}. A transaction keeps its locks on tables to its end, also where ` +
        "it does not hold up vacuum.",
    "Vacuum looks at all sessions of the database: what one holder holds up is held up in every " +
      "table.",
    `A scan of the table took ${duration(figures.conn.scanMs)} beside the Conn in the end, ` +
      `${duration(figures.write.scanMs)} beside the transaction that had written.`,
  ];
  if (read.withXmin > simple.withXmin) {
    caveats.unshift(
      "By the extended protocol, in which statements with parameters are sent, a result stays " +
        "open at the server until the next statement, and with it its snapshot: of the looks at " +
        `a transaction that had read and rested ${read.withXmin} of ${read.looks} found one, by ` +
        `the simple protocol (as psql uses it) ${simple.withXmin} of ${simple.looks}.`,
    );
  }
  if (measured.whyNoPooler !== undefined) caveats.push(measured.whyNoPooler);
  if (context.isQuick) caveats.push("Quick run: one round, fewer rows; all of it is counted.");
  return caveats;
}

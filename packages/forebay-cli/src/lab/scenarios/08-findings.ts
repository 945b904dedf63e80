// Scenario 8, what the measurements say: verdicts, plots and advice. Every sentence takes its
// figures from this run.

import { claimOf, estimatedPart, part } from "../claim.ts";
import { bootstrap, type Estimate, exact, median, medianRatio, sum } from "../compare.ts";
import { barPlot } from "../plot.ts";
import type { Arm, Claim, Findings, Judge, Plot, ScenarioContext } from "../scenario.ts";
import { measuresOf, responseOf } from "../turn.ts";
import { type Question, verdictOf } from "../verdict.ts";
import { counted, duration, figure, listed, times, withInterval } from "../words.ts";
import type { LeftBehind, MeasuredWay, QueryRowMeasured } from "./08-query-row.ts";
import { QUERY, QUERY_CLOSE, QUERY_ROW } from "./08-ways.ts";

/** What the guide expects to save on each call. */
const CLAIMED_NS = 50;

interface QueryRowFigures {
  /** CPU time of `queryRow` over that of rows with next and close, instant driver. */
  readonly cpuRatio: Estimate;
  /** Over that of `query`: the same call of the driver. */
  readonly sameRatio: Estimate;
  /** Nanoseconds of CPU time that a call saves. */
  readonly savedNs: Estimate;
  readonly bytesRatio: number;
  /** p50 on the real server. */
  readonly realRatio: Estimate;
  readonly rowMs: number;
  readonly closeMs: number;
  readonly heldOut: number;
}

const ADVICE: Omit<Findings["whatToSet"], "notWhen"> = {
  code:
    '// one row: const { v } = await db.queryRow("SELECT v FROM t WHERE id = $1", [id])\n' +
    "// many rows: for await (const row of db.rows(sql)) …   (break, return and throw close " +
    "them)\n" +
    "// next() by hand: await using rows = db.rows(sql)\n\n" +
    "openDB(connector, {\n" +
    "  leakAfterMs: 60_000, // where a leak is looked for, and in tests\n" +
    "  onWarning: ({ message, stack }) => log.warn(message, stack),\n" +
    "})\n" +
    "// Go: db.QueryRow(…).Scan(…), and always Scan · pg: (await pool.query(…)).rows[0] · " +
    "HikariCP: leakDetectionThreshold",
  when:
    "queryRow wherever a statement gives one row: there is nothing to close. leakAfterMs above " +
    "the longest transaction of the program.",
};

/** Puts the findings together. */
export function describeQueryRow(
  context: ScenarioContext,
  measured: QueryRowMeasured,
  judge: Judge,
): Findings {
  const figures = deriveFigures(context, measured);
  const checks = questionsOf(measured, figures).map(judge);
  const { forgotten } = measured;
  const waysOut = measured.fakeWaysOut.length;
  return {
    headline:
      `queryRow took ${withInterval(figures.cpuRatio)} times the CPU time of rows with next and ` +
      `close (${nanoseconds(figures.savedNs.value)} a call), and on the server p50 was ` +
      `${duration(figures.rowMs)} against ${duration(figures.closeMs)}; ${waysOut} ways out left ` +
      `${counted(figures.heldOut, "connection")} in use.`,
    experiment: experimentText(measured),
    claim: claimOfQueryRow(measured, figures),
    forebay: {
      verdict: verdictOf(checks),
      why:
        `Of ${figure(sum(allOut(measured).map((way) => way.times)))} calls left by ${waysOut} ` +
        `ways, ${counted(figures.heldOut, "connection")} stayed in use. Of ${forgotten.times} ` +
        `rows that were forgotten half-read, leakAfterMs reported ${forgotten.warnings}, ` +
        `${forgotten.named} with a stack that names the function.`,
      checks,
    },
    predictions: [],
    arms: armsOf(measured),
    plots: plotsOf(measured, figures),
    whatToSet: {
      ...ADVICE,
      notWhen:
        "Where there may be many rows: queryRow and query gather all that the statement gives, " +
        "so read with rows, or limit the statement. leakAfterMs takes a stack for each acquire: " +
        `with it queryRow took ${figure(median(measured.watchedNs))} ns of CPU time instead of ` +
        `${figure(median(wayNamed(measured, QUERY_ROW).cpuNs))} ns, without a server.`,
    },
    caveats: caveatsOf(measured, figures),
  };
}

function deriveFigures(context: ScenarioContext, measured: QueryRowMeasured): QueryRowFigures {
  const { random } = context;
  const row = wayNamed(measured, QUERY_ROW);
  const close = wayNamed(measured, QUERY_CLOSE);
  const p50 = (way: MeasuredWay): number[] =>
    way.turns.map((turn) => turn.response.percentileMs(50));
  const saved = close.cpuNs.map((ns, round) => ns - (row.cpuNs[round] ?? Number.NaN));
  return {
    cpuRatio: medianRatio(close.cpuNs, row.cpuNs, random),
    sameRatio: medianRatio(wayNamed(measured, QUERY).cpuNs, row.cpuNs, random),
    savedNs: bootstrap(saved, median, random),
    bytesRatio: row.allocated / close.allocated,
    realRatio: medianRatio(p50(close), p50(row), random),
    rowMs: responseOf(row.turns).percentileMs(50),
    closeMs: responseOf(close.turns).percentileMs(50),
    heldOut: sum(allOut(measured).map((way) => way.held)),
  };
}

function allOut(measured: QueryRowMeasured): readonly LeftBehind[] {
  return [...measured.fakeWaysOut, ...measured.realWaysOut];
}

function wayNamed(measured: QueryRowMeasured, name: string): MeasuredWay {
  const found = measured.ways.find(({ way }) => way.name === name);
  if (found === undefined) throw new RangeError(`no way is called ${name}`);
  return found;
}

function questionsOf(measured: QueryRowMeasured, figures: QueryRowFigures): Question[] {
  const { forgotten } = measured;
  const held = (ways: readonly LeftBehind[]): Estimate => exact(sum(ways.map((way) => way.held)));
  const names = (ways: readonly LeftBehind[]): string =>
    `After ${figure(ways[0]?.times ?? 0)} times each: ${listed(ways.map(({ name }) => name))}.`;
  return [
    {
      name: "Connections left in use by all ways out, fake database",
      estimate: held(measured.fakeWaysOut),
      threshold: { atMost: 0 },
      note: names(measured.fakeWaysOut),
    },
    {
      name: "Connections left in use by all ways out, real server",
      estimate: held(measured.realWaysOut),
      threshold: { atMost: 0 },
      note: `After ${measured.realWaysOut[0]?.times ?? 0} times each.`,
    },
    {
      name: "Rules of the driver contract broken meanwhile",
      estimate: exact(measured.violations),
      threshold: { atMost: 0 },
    },
    {
      name: "Forgotten rows that are reported with the stack of who forgot them",
      estimate: exact(forgotten.named),
      threshold: { from: forgotten.times, to: forgotten.times },
      note: `Of ${forgotten.times}.`,
    },
    {
      // In Go both are the same rows, and cost about the same. Here rows are a stream of promises,
      // and to save much is no defect: there is no lower end.
      name: "CPU time of a call, queryRow over rows with next and close",
      estimate: figures.cpuRatio,
      threshold: { atMost: 1.05 },
      unit: "×",
    },
    {
      name: "Bytes allocated by a call, queryRow over rows with next and close",
      estimate: exact(figures.bytesRatio),
      threshold: { atMost: 1 },
      unit: "×",
    },
    {
      name: "CPU time of a call, queryRow over query (negative control: the same work)",
      estimate: figures.sameRatio,
      threshold: { from: 0.8, to: 1.2 },
      unit: "×",
      note: "CPU time of this process; that of others is not in it.",
      isRobust: true,
    },
  ];
}

function claimOfQueryRow(measured: QueryRowMeasured, figures: QueryRowFigures): Claim {
  const { savedNs, bytesRatio } = figures;
  const { unscanned } = measured;
  const row = wayNamed(measured, QUERY_ROW);
  const close = wayNamed(measured, QUERY_CLOSE);
  const leaks = unscanned.held > 0;
  const parts = [
    part(
      "QueryRow is impossible to leak.",
      !leaks,
      `By database/sql's rules (a model: the query has begun, and Scan alone closes it), ` +
        `${unscanned.held} of ${counted(unscanned.times, "row")} that nobody scanned kept their ` +
        `connection for good, and ${unscanned.heldScanned} of as many that were scanned. Of ` +
        `Forebay's queryRow that nobody awaits, ${figure(heldBy(measured, "nobody awaits"))}.`,
    ),
    estimatedPart(
      `It saves about ${CLAIMED_NS} ns a call.`,
      savedNs,
      { from: CLAIMED_NS / 3, to: CLAIMED_NS * 3 },
      `${withInterval(savedNs)} ns of CPU time in Node, without a server. (A third to three ` +
        "times the guide's figure counts as holding.)",
    ),
    part(
      "It allocates slightly less.",
      bytesRatio <= 1,
      `${figure(row.allocated)} bytes a call against ${figure(close.allocated)}: ` +
        `${times(bytesRatio)} as much.`,
    ),
    estimatedPart(
      "A benchmark of both shows QueryRow to be faster.",
      figures.cpuRatio,
      { to: 0.99 },
      `${withInterval(figures.cpuRatio)} times the CPU time over ` +
        `${figure(measured.instantCalls)} calls each without a server, ` +
        `${withInterval(figures.realRatio)} times the p50 over ` +
        `${figure(measured.rounds * measured.realCallsPerRound)} on the real one.`,
    ),
  ];
  const leak = `${unscanned.held} of ${unscanned.times} rows that nobody scanned kept a connection`;
  const gain = `queryRow saved ${withInterval(savedNs)} ns a call in Node, not about ${CLAIMED_NS}`;
  return claimOf(
    "QueryRow closes its rows by itself when Scan is called: one defer less, about 50 ns and " +
      "some allocation saved on every call, and impossible to leak.",
    parts,
    {
      refuted:
        "The advice is right, the reasons are not all: " +
        listed([
          ...(leaks ? [`by database/sql's rules ${leak}`] : []),
          ...(parts[1]?.verdict === "refuted" ? [gain] : []),
          ...(bytesRatio > 1 ? [`it allocated ${times(bytesRatio)} as much`] : []),
          ...(parts[3]?.verdict === "refuted" ? ["it was not faster"] : []),
        ]) +
        ". What it gives is that there is nothing to close.",
      holds: `queryRow saved ${withInterval(savedNs)} ns a call, and nothing leaked.`,
      inconclusive: `queryRow took ${withInterval(figures.cpuRatio)} times the CPU time.`,
    },
  );
}

function nanoseconds(saved: number): string {
  return `${figure(Math.abs(saved))} ns ${saved < 0 ? "more" : "less"}`;
}

function heldBy(measured: QueryRowMeasured, words: string): number {
  return sum(
    allOut(measured)
      .filter(({ name }) => name.includes(words))
      .map((way) => way.held),
  );
}

function armsOf(measured: QueryRowMeasured): Arm[] {
  return measured.ways.map(({ way, cpuNs, allocated, turns }) => ({
    name: way.name,
    role: way.role,
    settings: { code: way.code },
    measures: {
      cpuPerCallWithoutServerUs: median(cpuNs) / 1000,
      allocatedPerCallBytes: allocated,
      ...measuresOf(turns),
    },
  }));
}

function plotsOf(measured: QueryRowMeasured, figures: QueryRowFigures): Plot[] {
  const bars = (value: (way: MeasuredWay) => number) =>
    measured.ways.map((way) => ({ name: way.way.name, value: value(way), role: way.way.role }));
  return [
    barPlot(
      "What a call takes of this process, without a server",
      `CPU time of queryRow is ${withInterval(figures.cpuRatio)} times that of rows with next ` +
        "and close.",
      { label: "ns", scale: "linear" },
      bars(({ cpuNs }) => median(cpuNs)),
      (value) => `${figure(Math.round(value))} ns`,
    ),
    barPlot(
      "One row from the real server, p50",
      `queryRow took ${withInterval(figures.realRatio)} times as long as rows with next and close.`,
      { label: "ms", scale: "linear" },
      bars(({ turns }) => responseOf(turns).percentileMs(50)),
      duration,
    ),
  ];
}

function experimentText(measured: QueryRowMeasured): string {
  const { rounds } = measured;
  return (
    `One row is read by ${measured.ways.length} ways: ${figure(measured.instantCalls)} ` +
    "times each by a driver that answers at once, where nothing but this library's own work is " +
    `timed, and ${figure(rounds * measured.realCallsPerRound)} times each by key from the real ` +
    `server, one caller, in ${rounds} rounds forward and backward. Then code leaves queries ` +
    `behind in ${measured.fakeWaysOut.length} ways, ` +
    `${figure(measured.fakeWaysOut[0]?.times ?? 0)} times each on a fake database that watches ` +
    `over the rules of a driver and ${measured.realWaysOut[0]?.times ?? 0} times each on the ` +
    "real server, and the connections in use are counted after a garbage collection. The guide's " +
    "million iterations on a server are scaled down."
  );
}

function caveatsOf(measured: QueryRowMeasured, figures: QueryRowFigures): string[] {
  const { forgotten } = measured;
  return [
    "Go is not run: its rule for a row is, in a model. The nanoseconds are Node's; in Go, whose " +
      "defers are open-coded since 1.14, a Go benchmark has to tell.",
    "The difference between Go and Node: in Go both forms are the same rows; in Node rows are a " +
      "stream, of which each read is a promise, and on PostgreSQL a portal of their own. On the " +
      `server their p50 differed by ${duration(Math.abs(figures.closeMs - figures.rowMs))}.`,
    `Rows that are read by hand and forgotten do leak: ${forgotten.held} of ${forgotten.times} ` +
      "connections were still in use after a garbage collection. The pool warned of " +
      `${forgotten.warnings}.`,
    "The guide's code before ignores the error of Query; where there is one, rows is nil in Go, " +
      "and the deferred Close fails. In Node such a promise is an unhandled rejection.",
  ];
}

// Scenario 17: statements that fail, such as a unique violation, leave the connection as good as
// before. A pool that closes it all the same pays for a new one at each error.

import { needConnections } from "../budget.ts";
import { claimOf, estimatedPart, part } from "../claim.ts";
import {
  bootstrap,
  byName,
  type Estimate,
  exact,
  median,
  medianRatio,
  sum,
  takeTurnsByName,
} from "../compare.ts";
import { failureKind } from "../failures.ts";
import { barPlot, latencyPlot } from "../plot.ts";
import type { LabDb } from "../pools.ts";
import { poissonArrivals, seededLabRandom } from "../random.ts";
import {
  type Arm,
  type Claim,
  type Findings,
  type Judge,
  type Plot,
  type Scenario,
  type ScenarioContext,
} from "../scenario.ts";
import { measuresOf, openTurn, responseOf, type Turn } from "../turn.ts";
import { type Question, verdictOf } from "../verdict.ts";
import { duration, figure, percent, withInterval } from "../words.ts";

const CONNECTIONS = 10;
const RATE_PER_S = 200;
/** Every tenth insert takes a key that is there already. */
const ERROR_EVERY = 10;
const UNIQUE_VIOLATION = "23505";

interface Way {
  readonly name: string;
  readonly role: Arm["role"];
  /** Whether a connection is closed after an error, whatever error. */
  readonly closes: boolean;
  readonly errorEvery: number;
}

const WAYS = {
  closes: { name: "closed at each error", role: "baseline", closes: true, errorEvery: ERROR_EVERY },
  keeps: { name: "Forebay", role: "change", closes: false, errorEvery: ERROR_EVERY },
  sound: {
    name: "closed at each error, none comes",
    role: "negative control",
    closes: true,
    errorEvery: Infinity,
  },
} as const satisfies Record<string, Way>;

type WayName = keyof typeof WAYS;
const NAMES: readonly WayName[] = ["closes", "keeps", "sound"];

interface ChurnTurn extends Turn {
  readonly dials: number;
}

type Measured = Readonly<Record<WayName, readonly ChurnTurn[]>>;

async function run(context: ScenarioContext): Promise<Findings> {
  needConnections(context, CONNECTIONS * NAMES.length);
  const { pools, schema, signal } = context;
  await pools.watcher.exec(`CREATE TABLE ${schema}.churn (a bigint PRIMARY KEY)`);
  await pools.watcher.exec(`INSERT INTO ${schema}.churn VALUES (0)`);
  const rounds = context.isQuick ? 6 : 8;
  const turnMs = context.isQuick ? 700 : 2500;
  const limits = { maxOpenConns: CONNECTIONS, maxIdleConns: CONNECTIONS };
  const dbs = byName(NAMES, () => pools.openDb(limits));
  await Promise.all(NAMES.map((name) => dbs[name].warmUp(CONNECTIONS, { signal })));
  const nextKey = keys();
  const measured = await takeTurnsByName({
    rounds,
    signal,
    steal: context.steal,
    names: NAMES,
    take: (name, round, note) => {
      context.step(WAYS[name].name, turnMs, note);
      const arrivalsMs = poissonArrivals(seededLabRandom(1700 + round), RATE_PER_S, turnMs);
      return turnOf(context, dbs[name], WAYS[name], { arrivalsMs, nextKey });
    },
  });
  return describe(context, measured, await context.judge());
}

/** Keys that nobody has used yet. */
function keys(): () => number {
  let last = 0;
  return () => ++last;
}

async function turnOf(
  context: ScenarioContext,
  db: LabDb,
  way: Way,
  load: { readonly arrivalsMs: readonly number[]; readonly nextKey: () => number },
): Promise<ChurnTurn> {
  const { schema, signal } = context;
  const sql = `INSERT INTO ${schema}.churn VALUES ($1)`;
  const before = db.stats().pool.dialCount;
  const turn = await openTurn(context, {
    arrivalsMs: load.arrivalsMs,
    counts: way.closes ? "effect" : "counts",
    operate: async (index) => {
      const isWrong = index % way.errorEvery === way.errorEvery - 1;
      const key = isWrong ? 0 : load.nextKey();
      if (way.closes) await insertAndClose(db, sql, key, signal);
      else await db.exec(sql, [key], { signal });
    },
  });
  const others = Object.keys(turn.failures).filter((kind) => kind !== UNIQUE_VIOLATION);
  if (others.length > 0) throw new Error(`requests failed otherwise: ${others.join(", ")}`);
  return { ...turn, dials: db.stats().pool.dialCount - before };
}

/** What node-postgres' pool.query does: an error of the statement costs the connection. */
async function insertAndClose(
  db: LabDb,
  sql: string,
  key: number,
  signal: AbortSignal,
): Promise<void> {
  await db.withConn(
    async (conn) => {
      try {
        await conn.exec(sql, [key], { signal });
      } catch (error) {
        if (failureKind(error) === UNIQUE_VIOLATION) await conn.raw((pg) => pg.close());
        throw error;
      }
    },
    { signal },
  );
}

/** What the turns come to. */
interface Figures {
  readonly dials: Readonly<Record<WayName, number>>;
  readonly errors: Readonly<Record<WayName, number>>;
  readonly p99: Estimate;
  readonly p99Ms: Readonly<Record<WayName, number>>;
  /** CPU time of this process and, where it can be seen, of the server, a request. */
  readonly cpu: Estimate;
  readonly countsServer: boolean;
}

function figuresOf({ random }: ScenarioContext, measured: Measured): Figures {
  const total = (of: (turn: ChurnTurn) => number): Record<WayName, number> =>
    byName(NAMES, (name) => sum(measured[name].map(of)));
  const p99 = (name: WayName): number[] =>
    measured[name].map((turn) => turn.response.percentileMs(99));
  const cpuMs = (turn: ChurnTurn | undefined): number =>
    turn === undefined ? 0 : turn.clientCpuMs + (turn.serverCpuMs ?? 0);
  // Over sums, since the clock of /proc has steps of 10 ms.
  const cpu = bootstrap(
    measured.closes.map((_, at) => at),
    (at) =>
      sum(at.map((index) => cpuMs(measured.keeps[index]))) /
      sum(at.map((index) => cpuMs(measured.closes[index]))),
    random,
  );
  return {
    dials: total((turn) => turn.dials),
    errors: total((turn) => turn.failed),
    p99: medianRatio(p99("closes"), p99("keeps"), random),
    p99Ms: byName(NAMES, (name) => median(p99(name))),
    cpu,
    countsServer: measured.keeps.every((turn) => turn.serverCpuMs !== undefined),
  };
}

const ADVICE: Findings["whatToSet"] = {
  code:
    "try {\n  await db.exec(sql, args);\n} catch (error) {\n" +
    '  if (!isPgError(error, "23505")) throw error; // the connection is back in the pool\n}',
  when:
    "Nothing is to be set: Forebay keeps a connection whose session is sound. With pg, take a " +
    "client with pool.connect and release it without the error. Go and HikariCP keep it, too.",
  notWhen:
    "Where a statement is expected to fail often, INSERT … ON CONFLICT DO NOTHING costs less " +
    "than an error.",
};

function describe(context: ScenarioContext, measured: Measured, judge: Judge): Findings {
  const figures = figuresOf(context, measured);
  const { dials, errors, p99Ms } = figures;
  const checks = questionsOf(figures).map(judge);
  const { connectP50Ms, queryP50Ms } = context.calibration;
  return {
    headline:
      `With ${percent(1 / ERROR_EVERY)} unique violations, a pool that closes the connection at ` +
      `each error dialed ${figure(dials.closes)} times and Forebay ${figure(dials.keeps)} times; ` +
      `p99 ${duration(p99Ms.closes)} against ${duration(p99Ms.keeps)}, CPU time a request ` +
      `${withInterval(figures.cpu)} times.`,
    experiment:
      `${RATE_PER_S} inserts a second at random on ${CONNECTIONS} connections, of which every ` +
      `${ERROR_EVERY}th takes a key that is there already. In one arm the connection is closed ` +
      "after an error, as pool.query of node-postgres does; in the other it goes back. " +
      `${measured.keeps.length} rounds, forward and backward in turn. Control: no wrong keys.`,
    claim: claimOfChurn(figures, connectP50Ms / queryP50Ms),
    forebay: {
      verdict: verdictOf(checks),
      why:
        `${figure(errors.keeps)} statements failed in Forebay's arm, and ${figure(dials.keeps)} ` +
        "connections were dialed: an error of the statement is told to the caller, and only what " +
        "makes the session unusable closes it.",
      checks,
    },
    predictions: [
      {
        what: "Dials where each error closes the connection",
        theory: "one for each error, at most: who comes meanwhile may be served by another",
        predicted: errors.closes,
        measured: dials.closes,
        unit: "",
      },
    ],
    arms: NAMES.map((name) => armOf(name, measured[name])),
    plots: plotsOf(measured, figures),
    whatToSet: ADVICE,
    caveats: [
      "node-postgres itself is not run: its rule is, over the same driver and pool, so that the " +
        "rule alone differs.",
      `A connection takes ${duration(connectP50Ms)} here, as long as ` +
        `${figure(connectP50Ms / queryP50Ms)} queries; over a network, or with more ` +
        "authentication, more.",
      figures.countsServer
        ? "CPU time is that of this process and the server."
        : "The server's CPU time cannot be seen from here; CPU time is of this process alone.",
    ],
  };
}

function plotsOf(measured: Measured, { dials, errors, p99Ms }: Figures): Plot[] {
  return [
    barPlot(
      "Connections dialed",
      `${figure(dials.closes)} for ${figure(errors.closes)} errors, and ${figure(dials.keeps)} ` +
        `for ${figure(errors.keeps)}.`,
      { label: "dials", scale: "linear" },
      NAMES.map((name) => ({
        name: WAYS[name].name,
        value: dials[name],
        role: WAYS[name].role,
      })),
    ),
    latencyPlot(
      "Response times",
      `p99 ${duration(p99Ms.closes)} where errors close, ${duration(p99Ms.keeps)} where not.`,
      NAMES.map((name) => ({
        name: WAYS[name].name,
        response: responseOf(measured[name]),
        ...(name === "keeps" ? {} : { style: "dashes" as const }),
      })),
    ),
  ];
}

function claimOfChurn(figures: Figures, queriesADial: number): Claim {
  const { dials, errors, p99, cpu, p99Ms } = figures;
  const parts = [
    part(
      "A pool that closes at each error dials about once an error.",
      dials.closes >= errors.closes / 2,
      `${figure(dials.closes)} dials for ${figure(errors.closes)} errors.`,
    ),
    estimatedPart(
      "That costs latency.",
      p99,
      { to: 0.9 },
      `p99 ${duration(p99Ms.closes)}; where connections are kept it is ${withInterval(p99)} ` +
        "times that.",
    ),
    estimatedPart(
      "And CPU time.",
      cpu,
      { to: 0.8 },
      `Kept connections take ${withInterval(cpu)} times as much a request; a dial takes as long ` +
        `as ${figure(queriesADial)} queries.`,
    ),
  ];
  return claimOf(
    "node-postgres closes the connection at every failed pool.query, so that a workload with " +
      "unique violations dials for each.",
    parts,
    {
      holds:
        `${figure(dials.closes)} dials for ${figure(errors.closes)} errors, and none of ` +
        "them needed.",
      refuted:
        `${figure(dials.closes)} dials for ${figure(errors.closes)} errors; not every ` +
        "consequence showed.",
      inconclusive:
        `${figure(dials.closes)} dials for ${figure(errors.closes)} errors; what ` +
        "they cost could not be decided in full.",
    },
  );
}

function questionsOf(figures: Figures): Question[] {
  const { dials, errors } = figures;
  return [
    {
      name: "Dials of Forebay over those of a pool that closes at each error",
      estimate: exact(dials.keeps / Math.max(1, dials.closes)),
      threshold: { atMost: 0.02 },
      unit: "×",
    },
    {
      name: "Dials for each error where each closes (so that there is an effect)",
      estimate: exact(dials.closes / Math.max(1, errors.closes)),
      threshold: { atLeast: 0.5 },
    },
    {
      name: "CPU time a request, kept over closed",
      estimate: figures.cpu,
      threshold: { atMost: 0.8 },
      unit: "×",
    },
    {
      name: "Dials where no error comes (negative control)",
      estimate: exact(dials.sound),
      threshold: { atMost: 0 },
    },
  ];
}

function armOf(name: WayName, turns: readonly ChurnTurn[]): Arm {
  const { name: shown, role, errorEvery } = WAYS[name];
  return {
    name: shown,
    role,
    settings: {
      maxOpenConns: CONNECTIONS,
      requestsPerS: RATE_PER_S,
      errors: Number.isFinite(errorEvery) ? percent(1 / errorEvery) : "none",
    },
    measures: { ...measuresOf(turns), dials: sum(turns.map((turn) => turn.dials)) },
  };
}

/** Extra scenario: errors that cost connections. */
export const errorChurn: Scenario = {
  id: 17,
  title: "Errors that cost a connection",
  needs: "30 free connections",
  expectedMs: 62_000,
  expectedQuickMs: 14_000,
  run,
};

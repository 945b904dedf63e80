// Scenario 10, how its arms run: the requests of an application and reports on the same
// connections, or on different ones.

import { pause } from "../clock.ts";
import { type LabDb, openWarmDb } from "../pools.ts";
import { type LabRandom, poissonArrivals } from "../random.ts";
import { type RoutesTurn, routesMustNotFail, routesTurn } from "../routes.ts";
import { type ScenarioContext, ScenarioNotPossible } from "../scenario.ts";

/** The guide's numbers. */
export const GUIDE = {
  connections: 50,
  reportConnections: 5,
  reports: 10,
  reportMs: 30_000,
} as const;

const CONNECTIONS_MAX = 20;
const CONNECTIONS_MIN = 10;

/** What a request of the application asks for takes this long. */
export const REQUEST_MS = 1;

/** All numbers of a run. */
export interface ReportsPlan {
  readonly connections: number;
  readonly reportConnections: number;
  readonly requestsPerS: number;
  /**
   * Reports at once: as many as in the guide's verification, and more than there are connections.
   */
  readonly fewReports: number;
  readonly manyReports: number;
  readonly reportMs: number;
  readonly reportsAtMs: number;
  readonly turnMs: number;
  readonly rounds: number;
  readonly scanRounds: number;
  /** Rows of the table that reports read, and how often each reads it. */
  readonly orders: number;
  readonly customersOfReport: number;
  readonly singleReports: number;
}

/** Plans a run for the connections that there are: the guide's ratios at a smaller size. */
export function planReports(context: Pick<ScenarioContext, "facts" | "isQuick">): ReportsPlan {
  const { facts, isQuick } = context;
  const share = GUIDE.reportConnections / GUIDE.connections;
  const connections = Math.min(CONNECTIONS_MAX, Math.floor(facts.budget / (1 + share)));
  if (connections < CONNECTIONS_MIN) {
    const needed = Math.ceil(CONNECTIONS_MIN * (1 + share));
    throw new ScenarioNotPossible(
      `It needs ${needed} connections, and may use ${facts.budget}. ${facts.budgetNote}`,
    );
  }
  const fewReports = Math.round((GUIDE.reports / GUIDE.connections) * connections);
  return {
    connections,
    reportConnections: Math.floor(connections * share),
    requestsPerS: 10 * connections,
    fewReports,
    manyReports: connections + fewReports,
    reportMs: isQuick ? 300 : 500,
    reportsAtMs: 50,
    turnMs: isQuick ? 500 : 900,
    rounds: isQuick ? 3 : 7,
    scanRounds: isQuick ? 2 : 4,
    orders: 50_000,
    customersOfReport: 20,
    singleReports: isQuick ? 5 : 10,
  };
}

/** Where reports run, and what they do. */
export type ReportsArm =
  | "alone"
  | "few"
  | "shared"
  | "split"
  | "bulkhead"
  | "scanShared"
  | "scanSplit"
  | "indexShared";

/** Arms whose reports sleep. */
export const SLEEPING: readonly ReportsArm[] = ["alone", "few", "shared", "split", "bulkhead"];
/** Arms whose reports read a table. */
export const READING: readonly ReportsArm[] = ["scanShared", "scanSplit", "indexShared"];

/** What one turn gave. */
export interface ReportsTurn extends RoutesTurn<"requests" | "reports"> {
  /** Requests that waited for a connection, by the pool's count. */
  readonly waited: number;
  /** The most connections that reports were seen to have. */
  readonly reportsInUseMost: number;
}

/** How long one report takes with nothing else under way, by turn. */
export interface SingleReports {
  readonly scanMs: readonly number[];
  readonly indexMs: readonly number[];
}

const SLEEP_SQL = "SELECT pg_sleep($1)";

type Work = "sleep" | "scan" | "index";

/** The connections of a run, and the tables of its reports. */
export class ReportPools {
  readonly #context: ScenarioContext;
  readonly #plan: ReportsPlan;
  readonly #db: LabDb;
  readonly #reportsDb: LabDb;

  static async open(context: ScenarioContext, plan: ReportsPlan): Promise<ReportPools> {
    await createTables(context, plan);
    const warmBy = { sql: SLEEP_SQL, args: [0] };
    const { pools, signal } = context;
    const db = await openWarmDb(pools, plan.connections, warmBy, signal);
    const reportsDb = await openWarmDb(pools, plan.reportConnections, warmBy, signal);
    return new ReportPools(context, plan, { db, reportsDb });
  }

  private constructor(
    context: ScenarioContext,
    plan: ReportsPlan,
    open: { readonly db: LabDb; readonly reportsDb: LabDb },
  ) {
    this.#context = context;
    this.#plan = plan;
    this.#db = open.db;
    this.#reportsDb = open.reportsDb;
  }

  /** One turn of an arm. Reports that are still under way when the requests have ended are cut. */
  async turn(arm: ReportsArm, random: LabRandom): Promise<ReportsTurn> {
    const plan = this.#plan;
    // Shares without limits: they have no effect but to count for one kind.
    const requests = this.#db.bulkhead("requests");
    const reports = this.#reportsOf(arm);
    const [sql, args] = this.#reportSql(workOf(arm));
    const waitedBefore = requests.stats().waitCount;
    let reportsInUseMost = 0;
    const look = (): void => {
      reportsInUseMost = Math.max(reportsInUseMost, reports.stats().inUse);
    };
    const turn = await routesTurn(this.#context, [
      {
        name: "requests",
        arrivalsMs: poissonArrivals(random, plan.requestsPerS, plan.turnMs),
        operate: async (_, signal) => {
          look();
          await requests.query(SLEEP_SQL, [REQUEST_MS / 1000], { signal });
        },
      },
      {
        name: "reports",
        isCut: true,
        arrivalsMs: Array.from({ length: reportsOf(plan, arm) }, () => plan.reportsAtMs),
        operate: async (_, signal) => {
          const answered = reports.query(sql, args, { signal });
          look();
          await answered;
        },
      },
    ]);
    routesMustNotFail([turn.routes.requests, turn.routes.reports]);
    const waited = requests.stats().waitCount - waitedBefore;
    await this.#comeToRest();
    return { ...turn, waited, reportsInUseMost };
  }

  /** One report after the other, with nothing else under way. */
  async singleReports(): Promise<SingleReports> {
    const { clock, signal } = this.#context;
    const time = async (work: "scan" | "index"): Promise<number> => {
      const [sql, args] = this.#reportSql(work);
      const beganAtMs = clock.nowMs();
      await this.#reportsDb.query(sql, args, { signal });
      return clock.nowMs() - beganAtMs;
    };
    await time("scan");
    await time("index");
    const scanMs: number[] = [];
    const indexMs: number[] = [];
    for (let turn = 0; turn < this.#plan.singleReports; turn++) {
      scanMs.push(await time("scan"));
      indexMs.push(await time("index"));
    }
    return { scanMs, indexMs };
  }

  async close(): Promise<void> {
    await Promise.all([this.#db.close(), this.#reportsDb.close()]);
  }

  #reportsOf(arm: ReportsArm): Pick<LabDb, "query"> & { stats(): { readonly inUse: number } } {
    if (arm === "split" || arm === "scanSplit") return this.#reportsDb;
    if (arm === "bulkhead") {
      return this.#db.bulkhead("reports", { maxInUse: this.#plan.reportConnections });
    }
    return this.#db.bulkhead("reports, unlimited");
  }

  #reportSql(work: Work): [sql: string, args: readonly unknown[]] {
    if (work === "sleep") return [SLEEP_SQL, [this.#plan.reportMs / 1000]];
    const { schema } = this.#context;
    const orders = `${schema}.report_orders_${work}`;
    const sql =
      `SELECT c.id, (SELECT sum(o.amount) FROM ${orders} o WHERE o.customer = c.id) AS total ` +
      `FROM ${schema}.report_customers c WHERE c.id <= $1 ORDER BY total DESC`;
    return [sql, [this.#plan.customersOfReport]];
  }

  /** A cut report has its connection until the server has confirmed that it stopped. */
  async #comeToRest(): Promise<void> {
    const { clock, signal } = this.#context;
    for (let looks = 0; looks < REST_LOOKS_MAX; looks++) {
      if (this.#db.stats().inUse + this.#reportsDb.stats().inUse === 0) return;
      await pause(clock, REST_LOOK_MS, signal);
    }
    throw new Error("the connections of a turn did not come to rest");
  }
}

const REST_LOOK_MS = 5;
const REST_LOOKS_MAX = 2000;

function workOf(arm: ReportsArm): Work {
  if (arm === "indexShared") return "index";
  return arm === "scanShared" || arm === "scanSplit" ? "scan" : "sleep";
}

function reportsOf(plan: ReportsPlan, arm: ReportsArm): number {
  if (arm === "alone") return 0;
  return arm === "few" ? plan.fewReports : plan.manyReports;
}

const CUSTOMERS = 1000;

async function createTables(context: ScenarioContext, plan: ReportsPlan): Promise<void> {
  const { pools, schema } = context;
  const { watcher } = pools;
  await watcher.exec(`CREATE TABLE ${schema}.report_customers (id int PRIMARY KEY)`);
  await watcher.exec(
    `INSERT INTO ${schema}.report_customers SELECT generate_series(1, ${CUSTOMERS})`,
  );
  for (const work of ["scan", "index"]) {
    const orders = `${schema}.report_orders_${work}`;
    // Without workers, so that a report takes one processor and no more.
    await watcher.exec(
      `CREATE TABLE ${orders} (customer int NOT NULL, amount int NOT NULL) ` +
        "WITH (parallel_workers = 0)",
    );
    await watcher.exec(
      `INSERT INTO ${orders} SELECT 1 + n % ${CUSTOMERS}, n FROM generate_series(1, ` +
        `${plan.orders}) n`,
    );
  }
  await watcher.exec(`CREATE INDEX ON ${schema}.report_orders_index (customer)`);
  for (const table of ["report_customers", "report_orders_scan", "report_orders_index"]) {
    await watcher.exec(`VACUUM ANALYZE ${schema}.${table}`);
  }
}

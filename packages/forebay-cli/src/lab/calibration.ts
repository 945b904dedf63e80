// Calibration: what a query, a connection, a commit and a timer cost here, and whether two
// identical arms look alike.

import { type Estimate, medianRatio, takeTurns } from "./compare.ts";
import { LatencyHistogram } from "./histogram.ts";
import { runClosedLoad } from "./load.ts";
import type { ArmPool } from "./pools.ts";
import type { Calibration, ScenarioContext } from "./scenario.ts";

type CalibrationContext = Omit<ScenarioContext, "calibration" | "judge">;

const POINT_SELECT = "SELECT b FROM %.calibration WHERE a = $1";

/**
 * Measures the calibration row. Takes about three seconds, one when quick. Leaves a small table in
 * the lab's schema.
 */
export async function calibrate(context: CalibrationContext): Promise<Calibration> {
  const { pools, schema, signal, isQuick } = context;
  await pools.watcher.exec(`CREATE TABLE ${schema}.calibration (a int PRIMARY KEY, b int)`);
  await pools.watcher.exec(
    `INSERT INTO ${schema}.calibration SELECT n, n FROM generate_series(1, 1000) n`,
  );
  const connect = await timeDials(context, isQuick ? 8 : 24);
  const pool = pools.openForebay({ maxOpenConns: 1, maxIdleConns: 1 });
  const twin = pools.openForebay({ maxOpenConns: 1, maxIdleConns: 1 });
  await timeQueries(context, pool, 200);
  await timeQueries(context, twin, 200);
  const query = await timeQueries(context, pool, isQuick ? 500 : 2000);
  const commit = await timeCommits(context, pool, isQuick ? 50 : 200);
  const sameArmRatio = await compareTwins(context, pool, twin);
  const timerLateP99Ms = await timeTimers(context, 100);
  await Promise.all([pool.close(), twin.close()]);
  signal.throwIfAborted();
  return {
    queryP50Ms: query.percentileMs(50),
    queryP99Ms: query.percentileMs(99),
    connectP50Ms: connect.percentileMs(50),
    connectP99Ms: connect.percentileMs(99),
    commitP50Ms: commit.percentileMs(50),
    timerLateP99Ms,
    sameArmRatio,
  };
}

async function timeDials(context: CalibrationContext, dials: number): Promise<LatencyHistogram> {
  const { clock, pools, signal } = context;
  const histogram = new LatencyHistogram();
  for (let dial = 0; dial <= dials; dial++) {
    const beganAtMs = clock.nowMs();
    const conn = await pools.dial(signal);
    // The first dial loads code and warms caches; it is not one of them.
    if (dial > 0) histogram.recordMs(clock.nowMs() - beganAtMs);
    await conn.close();
  }
  return histogram;
}

function timeQueries(context: CalibrationContext, pool: ArmPool, requests: number) {
  const sql = POINT_SELECT.replace("%", context.schema);
  return timeStatement(context, pool, requests, sql, (index) => [(index % 1000) + 1]);
}

function timeCommits(context: CalibrationContext, pool: ArmPool, requests: number) {
  const sql = `INSERT INTO ${context.schema}.calibration VALUES ($1, $2)`;
  return timeStatement(context, pool, requests, sql, (index) => [1001 + index, index]);
}

/** One caller, one statement after the other. */
async function timeStatement(
  { clock, signal }: CalibrationContext,
  pool: ArmPool,
  requests: number,
  sql: string,
  argsOf: (index: number) => readonly unknown[],
): Promise<LatencyHistogram> {
  const { response } = await runClosedLoad({
    clock,
    signal,
    callers: 1,
    requests,
    durationMs: Infinity,
    operate: async (index) => {
      await pool.use((conn) => conn.query(sql, argsOf(index), { signal }), signal);
    },
  });
  return response;
}

async function compareTwins(
  context: CalibrationContext,
  pool: ArmPool,
  twin: ArmPool,
): Promise<Estimate> {
  const requests = context.isQuick ? 150 : 400;
  const turn = async (arm: ArmPool): Promise<number> =>
    (await timeQueries(context, arm, requests)).percentileMs(50);
  const [first = [], second = []] = await takeTurns({
    rounds: 8,
    signal: context.signal,
    steal: context.steal,
    arms: [() => turn(pool), () => turn(twin)],
  });
  return medianRatio(first, second, context.random);
}

async function timeTimers(context: CalibrationContext, timers: number): Promise<number> {
  const histogram = new LatencyHistogram();
  for (let timer = 0; timer < timers; timer++) {
    const dueAtMs = context.clock.nowMs() + 2;
    await new Promise<void>((resolve) => {
      context.clock.setTimer(2, resolve);
    });
    histogram.recordMs(Math.max(0, context.clock.nowMs() - dueAtMs));
  }
  return histogram.percentileMs(99);
}

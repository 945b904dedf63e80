// Scenario 1: how many connections a load needs. Runs the arms in order; what they show is put
// together in 01-findings.ts.

import { needConnections } from "../budget.ts";
import { takeTurns } from "../compare.ts";
import type { ArmPool } from "../pools.ts";
import { seededLabRandom } from "../random.ts";
import { type Findings, type Scenario, type ScenarioContext } from "../scenario.ts";
import {
  type BurstTurn,
  drawBurst,
  drawTrace,
  openWarm,
  runBurst,
  runCpuBound,
  runSteady,
  type SteadyTurn,
} from "./01-arms.ts";
import { duration, percent } from "../words.ts";
import { describeLittle } from "./01-findings.ts";
import { LEAST_BUDGET, type LittlePlan, planLittle } from "./01-plan.ts";

/**
 * The bursts, by arm; without those that would drive a server into its limit that is not the lab's.
 */
export interface Bursts {
  /** database/sql's rules, no limit. */
  readonly unlimited: BurstTurn[];
  /** Forebay's pool without a limit. */
  readonly forebayUnlimited: BurstTurn[];
  readonly chosen: BurstTurn[];
  readonly big: BurstTurn[];
}

/** All that scenario 1 measured. */
export interface LittleMeasured {
  readonly plan: LittlePlan;
  readonly chosen: readonly SteadyTurn[];
  readonly big: readonly SteadyTurn[];
  readonly sweep: readonly { readonly size: number; readonly turns: readonly SteadyTurn[] }[];
  readonly tooFew: SteadyTurn;
  readonly tooFewArrivalMs: number;
  readonly bursts: Bursts;
  readonly cpu: Awaited<ReturnType<typeof runCpuBound>>;
}

async function run(context: ScenarioContext): Promise<Findings> {
  needConnections(context, LEAST_BUDGET);
  const plan = planLittle(context);
  const { chosen, big } = await compareSizes(context, plan);
  const sweep = await sweepSizes(context, plan);
  const { tooFew, tooFewArrivalMs } = await runTooFew(context, plan);
  const bursts = await runBursts(context, plan);
  context.step("work for the processor", plan.cpuRounds * plan.cpuMs * plan.cpuSizes.length);
  context.loop.begin();
  const cpu = await runCpuBound(context, plan);
  context.loop.end("effect");
  const measured = { plan, chosen, big, sweep, tooFew, tooFewArrivalMs, bursts, cpu };
  return describeLittle(context, measured, await context.judge());
}

/**
 * Keeps one warm pool open, and changes it for another when another size is asked for: turns A B B
 * A open it less often.
 */
class WarmPool {
  readonly #context: ScenarioContext;
  #size = 0;
  #pool: ArmPool | undefined;

  constructor(context: ScenarioContext) {
    this.#context = context;
  }

  async of(size: number): Promise<ArmPool> {
    if (this.#pool !== undefined && this.#size === size) return this.#pool;
    await this.close();
    this.#pool = await openWarm(this.#context, size);
    this.#size = size;
    return this.#pool;
  }

  async close(): Promise<void> {
    await this.#pool?.close();
    this.#pool = undefined;
  }
}

async function compareSizes(
  context: ScenarioContext,
  plan: LittlePlan,
): Promise<{ chosen: SteadyTurn[]; big: SteadyTurn[] }> {
  const warm = new WarmPool(context);
  let figure = "";
  const turn = async (size: number, pair: number): Promise<SteadyTurn> => {
    const note = `pair ${pair + 1} of ${plan.pairs}`;
    context.step(`${size} connections, steady`, plan.turnMs + 300, note, figure);
    const trace = drawTrace(plan, seededLabRandom(1000 + pair), [
      { ratePerS: plan.ratePerS, durationMs: plan.turnMs },
    ]);
    const pool = await warm.of(size);
    const steady = await runSteady(context, pool, size, trace);
    figure = `p99 ${duration(steady.response.percentileMs(99))} with ${size}`;
    return steady;
  };
  const [chosen = [], big = []] = await takeTurns({
    rounds: plan.pairs,
    signal: context.signal,
    steal: context.steal,
    arms: [(pair) => turn(plan.chosen, pair), (pair) => turn(plan.big, pair)],
  });
  await warm.close();
  return { chosen, big };
}

async function sweepSizes(
  context: ScenarioContext,
  plan: LittlePlan,
): Promise<LittleMeasured["sweep"]> {
  const sweep: { readonly size: number; readonly turns: readonly SteadyTurn[] }[] = [];
  for (const size of plan.sweep) {
    const pool = await openWarm(context, size);
    const turn = (round: number): Promise<SteadyTurn> => {
      context.step(`${size} connections, steady`, plan.sweepMs + 200);
      const trace = drawTrace(plan, seededLabRandom(2000 + round), [
        { ratePerS: plan.ratePerS, durationMs: plan.sweepMs },
      ]);
      return runSteady(context, pool, size, trace);
    };
    const { signal, steal } = context;
    const [turns = []] = await takeTurns({ rounds: plan.sweepTurns, signal, steal, arms: [turn] });
    sweep.push({ size, turns });
    await pool.close();
  }
  return sweep;
}

async function runTooFew(
  context: ScenarioContext,
  plan: LittlePlan,
): Promise<{ tooFew: SteadyTurn; tooFewArrivalMs: number }> {
  const tooFewArrivalMs = context.isQuick ? 600 : 1500;
  context.step(`${plan.tooFew} connections, steady`, 2 * tooFewArrivalMs);
  const trace = drawTrace(plan, seededLabRandom(3000), [
    { ratePerS: plan.ratePerS, durationMs: tooFewArrivalMs },
  ]);
  const pool = await openWarm(context, plan.tooFew);
  const tooFew = await runSteady(context, pool, plan.tooFew, trace);
  await pool.close();
  return { tooFew, tooFewArrivalMs };
}

async function runBursts(context: ScenarioContext, plan: LittlePlan): Promise<Bursts> {
  const bursts: Bursts = { unlimited: [], forebayUnlimited: [], chosen: [], big: [] };
  const { pools } = context;
  const sized = (size: number) => pools.openForebay({ maxOpenConns: size, maxIdleConns: size });
  const arms: { into: BurstTurn[]; name: string; open: () => ArmPool }[] = [
    { into: bursts.chosen, name: `${plan.chosen} connections`, open: () => sized(plan.chosen) },
    { into: bursts.big, name: `${plan.big} connections`, open: () => sized(plan.big) },
  ];
  if (plan.mayExhaust) {
    arms.push(
      {
        into: bursts.unlimited,
        name: "no limit, database/sql's rules",
        open: () => pools.openGoRules({ maxOpenConns: Infinity, maxIdleConns: 2 }),
      },
      {
        into: bursts.forebayUnlimited,
        name: "no limit, Forebay",
        open: () => pools.openForebay({ maxOpenConns: Infinity, maxIdleConns: Infinity }),
      },
    );
  }
  let figure = "";
  for (let turn = 0; turn < plan.burstTurns; turn++) {
    const note = `turn ${turn + 1} of ${plan.burstTurns}`;
    for (const arm of turn % 2 === 0 ? arms : arms.toReversed()) {
      context.step(`burst, ${arm.name}`, plan.leadMs + 5 * plan.burstMs, note, figure);
      const pool = arm.open();
      const trace = drawBurst(plan, seededLabRandom(4000 + turn));
      const burst = await runBurst(context, plan, pool, trace);
      arm.into.push(burst);
      figure = `${percent(burst.failedBurst / burst.burstRequests)} failed, ${arm.name}`;
      await pool.close();
    }
  }
  return bursts;
}

/** Scenario 1 of the guide. */
export const littlesLaw: Scenario = {
  id: 1,
  title: "Sizing the pool by Little's law",
  needs: "33 free connections; on a server of yours fewer do",
  expectedMs: 75_000,
  expectedQuickMs: 25_000,
  run,
};

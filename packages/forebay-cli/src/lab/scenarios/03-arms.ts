// Scenario 3, its arms and how they run: traffic with lulls, and traffic without.

import { pause } from "../clock.ts";
import { withDeadline } from "../deadline.ts";
import { LatencyHistogram } from "../histogram.ts";
import { runOpenLoad } from "../load.ts";
import { seededLabRandom } from "../random.ts";
import type { ArmRole, ScenarioContext } from "../scenario.ts";
import { through } from "../server-address.ts";
import {
  ARMS_AT_ONCE,
  type BalancerPlan,
  BURST_EVERY_MS,
  BUSY_CONNECTIONS,
  HOLD_MS,
  JITTER_RATIO,
  windowMs,
} from "./03-plan.ts";

/** What an arm's pool has counted. */
export interface BalancerCounts {
  /** Connections handed out. */
  readonly acquires: number;
  readonly dials: number;
  /** Closed because the other side had ended them. */
  readonly lost: number;
  readonly lifetimeClosed: number;
  readonly idleTimeClosed: number;
  readonly pings: number;
  readonly pingsFailed: number;
}

/** One way of setting a pool up. */
export interface BalancerArm {
  readonly name: string;
  readonly role: ArmRole;
  readonly settings: Readonly<Record<string, string | number>>;
  request(signal: AbortSignal): Promise<unknown>;
  counts(): BalancerCounts;
}

/** What an arm did over its lulls. */
export interface BalancerRun extends BalancerCounts {
  readonly arm: BalancerArm;
  readonly lulls: number;
  readonly requests: number;
  readonly served: number;
  readonly failures: Readonly<Record<string, number>>;
  readonly response: LatencyHistogram;
  /** Of the requests that came at once right after a lull. */
  readonly first: LatencyHistogram;
  /** Connections handed out that then served nobody. */
  readonly stale: number;
  /** Closed by age, by the end of each lull. */
  readonly lifetimeClosedBy: readonly number[];
}

/** Settings of Forebay's pool in one arm; what is left out is off. */
interface Timers {
  readonly connMaxIdleTimeMs?: number;
  readonly connMaxLifetimeMs?: number;
  readonly lifetimeJitterRatio?: number;
  readonly keepaliveMs?: number;
  readonly pingAfterIdleMs?: number;
}

type Make = (name: string, role: ArmRole, timers: Timers) => BalancerArm;

const REQUEST = `SELECT pg_sleep(${HOLD_MS / 1000})`;

/** The arms that have HAProxy before them. */
export function haproxyArms(
  context: ScenarioContext,
  plan: BalancerPlan,
  proxy: { readonly port: number },
): BalancerArm[] {
  const forebay = forebayMaker(context, plan, proxy);
  const life = { connMaxLifetimeMs: plan.lifetimeMs };
  return [
    goArm(context, plan, proxy),
    forebay("Forebay, no timer", "variant", {}),
    forebay("idle time", "change", { connMaxIdleTimeMs: plan.idleTimeMs }),
    forebay("lifetime", "change", { ...life, lifetimeJitterRatio: 0 }),
    forebay("lifetime with jitter", "change", { ...life, lifetimeJitterRatio: JITTER_RATIO }),
    forebay("keepalive", "change", { keepaliveMs: plan.keepaliveMs }),
  ];
}

/** The arms that have the proxy before them that forgets connections without a word. */
export function silentArms(
  context: ScenarioContext,
  plan: BalancerPlan,
  proxy: { readonly port: number },
): BalancerArm[] {
  const forebay = forebayMaker(context, plan, proxy);
  return [
    forebay("silence: no timer", "negative control", {}),
    forebay("silence: idle time", "change", { connMaxIdleTimeMs: plan.idleTimeMs }),
    forebay("silence: lifetime with jitter", "change", {
      connMaxLifetimeMs: plan.lifetimeMs,
      lifetimeJitterRatio: JITTER_RATIO,
    }),
    forebay("silence: keepalive", "change", { keepaliveMs: plan.keepaliveMs }),
    forebay("silence: ping after idling", "change", { pingAfterIdleMs: plan.pingAfterIdleMs }),
  ];
}

function goArm(
  context: ScenarioContext,
  plan: BalancerPlan,
  proxy: { readonly port: number },
): BalancerArm {
  const limits = { maxOpenConns: plan.connections, maxIdleConns: plan.connections };
  const pool = context.pools.openGoRules({ ...limits, idleLoss: "unnoticed" }, through(proxy));
  const none = { lost: 0, lifetimeClosed: 0, idleTimeClosed: 0, pings: 0, pingsFailed: 0 };
  return {
    name: "database/sql's rules, no timer",
    role: "baseline",
    settings: { ...limits, "a loss while idle": "unnoticed until the next use, as in Go" },
    request: (signal) => pool.use((conn) => conn.query(REQUEST, [], { signal }), signal),
    counts: () => {
      const { acquireCount, dialCount } = pool.stats();
      return { ...none, acquires: acquireCount, dials: dialCount };
    },
  };
}

function forebayMaker(
  context: ScenarioContext,
  plan: BalancerPlan,
  proxy: { readonly port: number },
): Make {
  return (name, role, timers) => {
    const limits = { maxOpenConns: plan.connections, maxIdleConns: plan.connections };
    const db = context.pools.openDb({
      ...limits,
      maxDialing: plan.connections,
      pingAfterIdleMs: Infinity,
      pingTimeoutMs: plan.pingTimeoutMs,
      ...timers,
      connection: through(proxy),
    });
    return {
      name,
      role,
      settings: { ...limits, ...timers },
      request: (signal) => db.query(REQUEST, [], { signal }),
      counts: () => {
        const { pool, maxLifetimeClosed, maxIdleTimeClosed } = db.stats();
        return {
          acquires: pool.acquireCount,
          dials: pool.dialCount,
          lost: pool.closedBy.lost,
          lifetimeClosed: maxLifetimeClosed,
          idleTimeClosed: maxIdleTimeClosed,
          pings: pool.pingCount,
          pingsFailed: pool.closedBy["ping-failed"],
        };
      },
    };
  };
}

/**
 * Runs arms with lulls, their traffic one after the other, so that none disturbs another: a stretch
 * that warms up, then as many lulls as are asked for, each followed by a stretch that counts.
 */
export async function runLulls(
  context: ScenarioContext,
  plan: BalancerPlan,
  arms: readonly BalancerArm[],
  lulls: number,
): Promise<BalancerRun[]> {
  const startedAtMs = context.clock.nowMs();
  context.loop.begin();
  const runs = await Promise.all(
    arms.map((arm, index) => {
      const beginsAtMs = startedAtMs + (index * plan.periodMs) / ARMS_AT_ONCE;
      return runArm(context, plan, arm, { lulls, beginsAtMs });
    }),
  );
  context.loop.end();
  return runs;
}

async function runArm(
  context: ScenarioContext,
  plan: BalancerPlan,
  arm: BalancerArm,
  when: { readonly lulls: number; readonly beginsAtMs: number },
): Promise<BalancerRun> {
  const { clock, signal } = context;
  const bursts = Math.max(2, Math.floor(windowMs(plan) / BURST_EVERY_MS));
  const arrivalsMs = Array.from(
    { length: bursts * plan.connections },
    (_, index) => Math.floor(index / plan.connections) * BURST_EVERY_MS,
  );
  const operate = (): Promise<void> =>
    withDeadline(clock, plan.deadlineMs, signal, async (own) => {
      await arm.request(own);
    });
  const load = { clock, signal, arrivalsMs, wake: "timer", operate } as const;
  const until = (atMs: number): Promise<void> =>
    pause(clock, Math.max(0, atMs - clock.nowMs()), signal);
  await until(when.beginsAtMs);
  await runOpenLoad(load);
  const before = arm.counts();
  const gathered = new Gathered();
  const lifetimeClosedBy: number[] = [];
  for (let lull = 1; lull <= when.lulls; lull++) {
    await until(when.beginsAtMs + lull * plan.periodMs);
    lifetimeClosedBy.push(arm.counts().lifetimeClosed - before.lifetimeClosed);
    gathered.add(await runOpenLoad(load), plan.connections);
  }
  const delta = difference(before, arm.counts());
  const { requests, served, failures, response, first } = gathered;
  return {
    arm,
    ...delta,
    lulls: when.lulls,
    requests,
    served,
    failures,
    response,
    first,
    stale: delta.acquires - served,
    lifetimeClosedBy,
  };
}

/** What the stretches of traffic of one arm gave together. */
class Gathered {
  readonly response = new LatencyHistogram();
  readonly first = new LatencyHistogram();
  readonly failures: Record<string, number> = {};
  requests = 0;
  served = 0;

  add(load: Awaited<ReturnType<typeof runOpenLoad>>, firstOnes: number): void {
    load.responseMs.forEach((ms, index) => {
      this.requests++;
      if (load.failed[index] === 0) this.served++;
      this.response.recordMs(ms);
      if (index < firstOnes) this.first.recordMs(ms);
    });
    for (const [kind, count] of Object.entries(load.failures)) {
      this.failures[kind] = (this.failures[kind] ?? 0) + count;
    }
  }
}

function difference(before: BalancerCounts, after: BalancerCounts): BalancerCounts {
  return {
    acquires: after.acquires - before.acquires,
    dials: after.dials - before.dials,
    lost: after.lost - before.lost,
    lifetimeClosed: after.lifetimeClosed - before.lifetimeClosed,
    idleTimeClosed: after.idleTimeClosed - before.idleTimeClosed,
    pings: after.pings - before.pings,
    pingsFailed: after.pingsFailed - before.pingsFailed,
  };
}

/** What an arm of steady traffic did. */
export interface SteadyRun {
  readonly name: string;
  readonly role: ArmRole;
  readonly settings: Readonly<Record<string, string | number>>;
  readonly requests: number;
  readonly failed: number;
  readonly lost: number;
  readonly lifetimeClosed: number;
  /** When dials were begun, from the start of the traffic on, and after the first ones. */
  readonly dialedAtMs: readonly number[];
}

interface SteadyArm extends Pick<SteadyRun, "name" | "role"> {
  readonly connections: number;
  readonly timers: Timers;
}

/** Traffic through HAProxy that never lets a connection rest: with no timer, and with ages. */
export async function runSteady(
  context: ScenarioContext,
  plan: BalancerPlan,
  proxy: { readonly port: number },
): Promise<SteadyRun[]> {
  const life = { connMaxLifetimeMs: plan.steadyLifetimeMs };
  const connections = plan.steadyConnections;
  const arms: readonly SteadyArm[] = [
    { name: "busy: no timer", role: "variant", connections: BUSY_CONNECTIONS, timers: {} },
    {
      name: "busy: lifetime",
      role: "negative control",
      connections,
      timers: { ...life, lifetimeJitterRatio: 0 },
    },
    {
      name: "busy: lifetime with jitter",
      role: "change",
      connections,
      timers: { ...life, lifetimeJitterRatio: JITTER_RATIO },
    },
  ];
  context.loop.begin();
  const runs = await Promise.all(arms.map((arm) => runSteadyArm(context, plan, proxy, arm)));
  context.loop.end();
  return runs;
}

async function runSteadyArm(
  context: ScenarioContext,
  plan: BalancerPlan,
  proxy: { readonly port: number },
  { name, role, connections, timers }: SteadyArm,
): Promise<SteadyRun> {
  const { clock, signal } = context;
  const dialedAtMs: number[] = [];
  const limits = { maxOpenConns: connections, maxIdleConns: connections };
  const db = context.pools.openDb({
    ...limits,
    maxDialing: connections,
    pingAfterIdleMs: Infinity,
    ...timers,
    // The same draws in every run: what is compared is a pool with jitter and one without.
    random: seededLabRandom(3),
    connection: through(proxy),
    hooks: {
      beforeConnect: () => {
        dialedAtMs.push(clock.nowMs());
        return Promise.resolve(undefined);
      },
    },
  });
  const startedAtMs = clock.nowMs();
  let requests = 0;
  let failed = 0;
  const caller = async (): Promise<void> => {
    while (clock.nowMs() - startedAtMs < plan.steadyMs) {
      signal.throwIfAborted();
      const served = db.query("SELECT pg_sleep(0.03)", [], { signal });
      await served.then(
        () => requests++,
        () => failed++,
      );
    }
  };
  await Promise.all(Array.from({ length: connections }, caller));
  const { pool, maxLifetimeClosed } = db.stats();
  return {
    name,
    role,
    settings: { ...limits, ...timers },
    requests,
    failed,
    lost: pool.closedBy.lost,
    lifetimeClosed: maxLifetimeClosed,
    dialedAtMs: dialedAtMs.slice(connections).map((atMs) => atMs - startedAtMs),
  };
}

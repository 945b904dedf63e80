// Scenario 11, the faults, and what requests meet in each.

import type { EmbeddedServer } from "../../server/index.ts";
import { pause } from "../clock.ts";
import { withDeadline } from "../deadline.ts";
import { LatencyHistogram } from "../histogram.ts";
import { countFailure, failureKind } from "../failures.ts";
import type { ScenarioContext } from "../scenario.ts";
import type { TcpProxy } from "../tcp-proxy.ts";
import {
  type FailoverArm,
  type FailoverCounts,
  type FailoverKind,
  openFailoverArms,
} from "./11-arms.ts";
import { type FailoverPlan, REQUEST_EVERY_MS } from "./11-plan.ts";

/** What happens to the idle connections. */
export type Fault = "fast restart" | "immediate restart" | "switch" | "silence";

/** All faults, in the order in which they are run. */
export const FAULTS: readonly Fault[] = ["fast restart", "immediate restart", "switch", "silence"];

/** The two servers, and the address that stands for one of them. */
export interface Site {
  readonly old: EmbeddedServer;
  readonly next: EmbeddedServer;
  readonly proxy: TcpProxy;
}

/** What one arm met in one fault. */
export interface FaultRun extends FailoverCounts {
  readonly fault: Fault;
  readonly kind: FailoverKind;
  readonly arm: Pick<FailoverArm, "name" | "role" | "settings">;
  readonly requests: number;
  readonly served: number;
  readonly failures: Readonly<Record<string, number>>;
  readonly response: LatencyHistogram;
  /** Connections handed out that then served nobody. */
  readonly stale: number;
  /** From when there was a server until a request was served; NaN when none was. */
  readonly recoveryMs: number;
  /** Most dials under way at once, as seen at each request; 0 where the pool does not tell. */
  readonly dialingMax: number;
  /** For how long there was no server; 0 but in restarts. */
  readonly downMs: number;
}

/** Runs one fault on all arms at once. */
export async function runFault(
  context: ScenarioContext,
  plan: FailoverPlan,
  site: Site,
  fault: Fault,
): Promise<FaultRun[]> {
  const { clock, pools, signal } = context;
  const { old, next, proxy } = site;
  proxy.setTarget(old);
  const isRestart = fault === "fast restart" || fault === "immediate restart";
  // A restart is met without a proxy, which would accept in place of a server that is down.
  const endpoint = { url: old.url, port: isRestart ? old.port : proxy.port };
  const arms = openFailoverArms(context, plan, endpoint);
  for (const arm of arms) await arm.warm(signal);
  await pause(clock, plan.idleMs, signal);
  const before = arms.map((arm) => arm.counts());
  context.loop.begin();
  const beganAtMs = clock.nowMs();
  const strike = async (): Promise<number> => {
    if (isRestart) await old.restart(fault === "fast restart" ? "fast" : "immediate");
    else {
      proxy.setTarget(next);
      if (fault === "switch") proxy.cut("rst");
      else proxy.swallow();
    }
    return clock.nowMs();
  };
  const ready = strike();
  ready.catch(() => undefined);
  if (fault !== "silence") await untilLost(context, plan, arms);
  const drive = fault === "silence" ? driveOneCaller : driveOpen;
  const logs = await Promise.all(arms.map((arm) => drive(context, plan, arm, ready)));
  const readyAtMs = await ready;
  context.loop.end();
  const runs = arms.map((arm, index): FaultRun => {
    const log = logs[index];
    const counted = before[index];
    if (log === undefined || counted === undefined) throw new Error("an arm is missing");
    const counts = delta(counted, arm.counts());
    const { kind, name, role, settings } = arm;
    return {
      fault,
      kind,
      arm: { name, role, settings },
      ...counts,
      ...log.summary(readyAtMs),
      stale: counts.acquires - log.served,
      dialingMax: log.dialingMax,
      downMs: isRestart ? readyAtMs - beganAtMs : 0,
    };
  });
  // First: a pool waits for seconds on connections that are silent.
  proxy.cut("rst");
  await pools.closeArms();
  return runs;
}

/** Until the arm that hears of it has heard that all its connections have ended: so have all. */
async function untilLost(
  { clock, signal }: ScenarioContext,
  plan: FailoverPlan,
  arms: readonly FailoverArm[],
): Promise<void> {
  const hears = arms.filter(({ kind }) => kind === "detection" || kind === "ping");
  for (let leftMs = 5000; leftMs > 0; leftMs -= 2) {
    if (hears.every((arm) => arm.counts().lost >= plan.connections)) return;
    await pause(clock, 2, signal);
  }
  throw new Error("connections that were cut have not been noticed");
}

/** What became of an arm's requests. */
class RequestLog {
  readonly response = new LatencyHistogram();
  readonly failures: Record<string, number> = {};
  readonly servedAtMs: number[] = [];
  requests = 0;
  served = 0;
  dialingMax = 0;
  readonly #deadlineMs: number;

  constructor(deadlineMs: number) {
    this.#deadlineMs = deadlineMs;
  }

  async run(context: ScenarioContext, arm: FailoverArm): Promise<void> {
    const { clock, signal } = context;
    const beganAtMs = clock.nowMs();
    const operate = async (own: AbortSignal): Promise<void> => {
      await arm.request(own);
    };
    const request = withDeadline(clock, this.#deadlineMs, signal, operate);
    this.#look(arm);
    try {
      await request;
      this.served++;
      this.servedAtMs.push(clock.nowMs());
    } catch (error) {
      countFailure(this.failures, failureKind(error));
    }
    this.requests++;
    this.response.recordMs(clock.nowMs() - beganAtMs);
    this.#look(arm);
  }

  summary(readyAtMs: number) {
    const { requests, served, failures, response } = this;
    const first = this.servedAtMs.length === 0 ? Number.NaN : Math.min(...this.servedAtMs);
    return { requests, served, failures, response, recoveryMs: Math.max(0, first - readyAtMs) };
  }

  #look(arm: FailoverArm): void {
    this.dialingMax = Math.max(this.dialingMax, arm.dialing());
  }
}

type Drive = (
  context: ScenarioContext,
  plan: FailoverPlan,
  arm: FailoverArm,
  ready: Promise<number>,
) => Promise<RequestLog>;

/** As many requests at once as there were connections, then one after the other until the end. */
const driveOpen: Drive = async (context, plan, arm, ready) => {
  const { clock, signal } = context;
  const log = new RequestLog(plan.deadlineMs);
  const pending = Array.from({ length: plan.connections }, () => log.run(context, arm));
  let endsAtMs = Infinity;
  const known = ready.then((atMs) => {
    endsAtMs = Math.max(atMs, clock.nowMs()) + plan.tailMs;
  });
  known.catch(() => {
    endsAtMs = 0;
  });
  while (clock.nowMs() < endsAtMs) {
    await pause(clock, REQUEST_EVERY_MS, signal);
    pending.push(log.run(context, arm));
  }
  await Promise.all(pending);
  return log;
};

/** One caller, one request after the other: what a single request meets. */
const driveOneCaller: Drive = async (context, plan, arm) => {
  const { clock, signal } = context;
  const log = new RequestLog(plan.silentDeadlineMs);
  const endsAtMs = clock.nowMs() + plan.silentMs;
  while (clock.nowMs() < endsAtMs) {
    await log.run(context, arm);
    await pause(clock, REQUEST_EVERY_MS, signal);
  }
  return log;
};

function delta(before: FailoverCounts, after: FailoverCounts): FailoverCounts {
  return {
    acquires: after.acquires - before.acquires,
    dials: after.dials - before.dials,
    dialErrors: after.dialErrors - before.dialErrors,
    lost: after.lost - before.lost,
    pings: after.pings - before.pings,
    pingsFailed: after.pingsFailed - before.pingsFailed,
  };
}

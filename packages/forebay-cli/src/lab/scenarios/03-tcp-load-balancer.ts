// Scenario 3: connections behind a TCP load balancer that cuts what is quiet. What there is to
// measure is counted: what was handed out dead, what callers saw, what had to be dialed.

import { startHaproxy } from "../haproxy.ts";
import type { Findings, Scenario, ScenarioContext } from "../scenario.ts";
import { serverAddress } from "../server-address.ts";
import { TcpProxy } from "../tcp-proxy.ts";
import {
  type BalancerRun,
  haproxyArms,
  runLulls,
  runSteady,
  silentArms,
  type SteadyRun,
} from "./03-arms.ts";
import { describeBalancer } from "./03-findings.ts";
import { type BalancerPlan, planBalancer, windowMs } from "./03-plan.ts";

/** All that was measured. */
export interface BalancerMeasured {
  readonly plan: BalancerPlan;
  readonly haproxyVersion: string;
  /** In the order of `haproxyArms`. */
  readonly cut: readonly BalancerRun[];
  /** In the order of `silentArms`. */
  readonly silent: readonly BalancerRun[];
  /** Connections that the silent proxy forgot, of all arms. */
  readonly forgotten: number;
  readonly steady: readonly SteadyRun[];
}

/** Scenario 3. */
export const tcpLoadBalancer: Scenario = {
  id: 3,
  title: "Lifetime behind a TCP load balancer",
  needs: "HAProxy (apt-get install haproxy); a URL with one host; 23 free connections.",
  expectedMs: 66_000,
  expectedQuickMs: 18_000,
  async run(context: ScenarioContext): Promise<Findings> {
    const measured = await measure(context);
    return describeBalancer(context, measured, await context.judge());
  },
};

async function measure(context: ScenarioContext): Promise<BalancerMeasured> {
  const { pools } = context;
  const target = serverAddress(context.server.url);
  const plan = planBalancer(context.isQuick, context.facts.budget);
  const { inactivityMs, steadyMs } = plan;
  context.step("HAProxy", 500);
  const haproxy = await startHaproxy(context, { target, inactivityMs });
  context.step("lulls behind HAProxy", lullsMs(plan, plan.lulls));
  const cut = await runLulls(context, plan, haproxyArms(context, plan, haproxy), plan.lulls);
  await pools.closeArms();
  context.step("lulls behind a silent proxy", lullsMs(plan, plan.silentLulls));
  const silence = await TcpProxy.open({ target, forgetAfterMs: inactivityMs });
  context.defer(() => silence.close());
  const arms = silentArms(context, plan, silence);
  const silent = await runLulls(context, plan, arms, plan.silentLulls);
  const forgotten = silence.forgottenCount;
  // First: a pool waits for seconds on connections that are silent.
  await silence.close();
  await pools.closeArms();
  context.step("traffic without lulls", steadyMs);
  const steady = await runSteady(context, plan, haproxy);
  await pools.closeArms();
  return { plan, haproxyVersion: haproxy.version, cut, silent, forgotten, steady };
}

function lullsMs(plan: BalancerPlan, lulls: number): number {
  return (lulls + 1) * plan.periodMs + windowMs(plan);
}

// Scenario 11: what a pool makes of connections that died while they were idle: in restarts, a
// switch to another server, silence, and an old primary that comes back read-only.

import { type EmbeddedServer, startEmbedded } from "../../server/index.ts";
import {
  type Findings,
  type Scenario,
  type ScenarioContext,
  ScenarioNotPossible,
} from "../scenario.ts";
import { TcpProxy } from "../tcp-proxy.ts";
import { FAULTS, type FaultRun, runFault, type Site } from "./11-faults.ts";
import { describeFailover } from "./11-findings.ts";
import { type Audit, Ledger } from "./11-ledger.ts";
import { type FailoverPlan, planFailover } from "./11-plan.ts";
import {
  auditWrites,
  prepareWrites,
  type ReadOnlyRun,
  runReadOnly,
  runWrites,
} from "./11-writes.ts";

/** All that was measured. */
export interface FailoverMeasured {
  readonly plan: FailoverPlan;
  readonly runs: readonly FaultRun[];
  readonly readOnly: readonly ReadOnlyRun[];
  readonly audit: Audit;
  readonly writeFailures: Readonly<Record<string, number>>;
}

/** Scenario 11. */
export const failover: Scenario = {
  id: 11,
  title: "Dead connections across a failover",
  needs: "No free connections: it starts two servers of its own. Not on Windows.",
  expectedMs: 62_000,
  expectedQuickMs: 18_000,
  async run(context: ScenarioContext): Promise<Findings> {
    const measured = await measure(context);
    return describeFailover(context, measured, await context.judge());
  },
};

async function measure(context: ScenarioContext): Promise<FailoverMeasured> {
  const plan = planFailover(context.isQuick);
  context.step("two servers", 4000);
  const site = await openSite(context);
  await prepareWrites(context, site);
  const ledger = new Ledger();
  const runs: FaultRun[] = [];
  const readOnly: ReadOnlyRun[] = [];
  const writeFailures: Record<string, number> = {};
  for (let round = 0; round < plan.rounds; round++) {
    for (const fault of FAULTS) {
      context.step(fault, plan.idleMs + (fault === "silence" ? plan.silentMs : plan.tailMs) + 1000);
      runs.push(...(await runFault(context, plan, site, fault)));
    }
    context.step("a read-only primary", plan.readOnlyMs + plan.tailMs + 800);
    readOnly.push(...(await runReadOnly(context, plan, site, ledger)));
    context.step("writes", (plan.writeFaults.length + 1) * plan.writeMs + 800);
    for (const [kind, count] of Object.entries(await runWrites(context, plan, site, ledger))) {
      writeFailures[kind] = (writeFailures[kind] ?? 0) + count;
    }
  }
  const audit = await auditWrites(context, site, ledger);
  return { plan, runs, readOnly, audit, writeFailures };
}

/** Two servers and a proxy; stopped when the scenario ends, however it ends. */
async function openSite(context: ScenarioContext): Promise<Site> {
  if (process.platform === "win32") {
    throw new ScenarioNotPossible("This scenario restarts servers, which it cannot on Windows.");
  }
  const { signal } = context;
  const start = async (): Promise<EmbeddedServer> => {
    const server = await startEmbedded({
      maxConnections: 150,
      settings: { autovacuum: "off" },
      hba: ["host all all 127.0.0.1/32 trust"],
      signal,
    });
    context.defer(() => server.stop());
    return server;
  };
  const begun = await Promise.allSettled([start(), start()]);
  const failed = begun.find((start) => start.status === "rejected");
  if (failed !== undefined) throw failed.reason;
  const [old, next] = begun.map((start) =>
    start.status === "fulfilled" ? start.value : undefined,
  );
  if (old === undefined || next === undefined) throw new Error("a server is missing");
  const proxy = await TcpProxy.open({ target: old });
  context.defer(() => proxy.close());
  return { old, next, proxy };
}

// Scenario 11, its arms: four ways of finding out that a connection is dead.

import { type LabDb, warmUp } from "../pools.ts";
import type { ArmRole, ScenarioContext } from "../scenario.ts";
import { type FailoverPlan, MAX_DIALING } from "./11-plan.ts";

/** How a pool finds out. */
export type FailoverKind = "naive" | "sequential" | "detection" | "ping";

/** What an arm's pool has counted. */
export interface FailoverCounts {
  /** Connections handed out. */
  readonly acquires: number;
  readonly dials: number;
  readonly dialErrors: number;
  readonly lost: number;
  readonly pings: number;
  readonly pingsFailed: number;
}

/** One way of setting a pool up. */
export interface FailoverArm {
  readonly kind: FailoverKind;
  readonly name: string;
  readonly role: ArmRole;
  readonly settings: Readonly<Record<string, string | number>>;
  /** Opens all connections. */
  warm(signal: AbortSignal): Promise<void>;
  request(signal: AbortSignal): Promise<unknown>;
  counts(): FailoverCounts;
  /** Dials under way; 0 where the pool does not tell. */
  dialing(): number;
}

/** Where the arms' connections go. */
export interface Endpoint {
  readonly url: string;
  readonly port: number;
}

const REQUEST = "SELECT 1";

/** The four arms, with pools of their own. */
export function openFailoverArms(
  context: ScenarioContext,
  plan: FailoverPlan,
  endpoint: Endpoint,
): FailoverArm[] {
  const { pingAfterIdleMs, pingTimeoutMs } = plan;
  const own = { pingAfterIdleMs, pingTimeoutMs };
  return [
    goArm(context, plan, endpoint, "naive"),
    goArm(context, plan, endpoint, "sequential"),
    forebayArm(context, plan, endpoint, {
      kind: "detection",
      name: "Forebay: idle sockets are read, no pings",
      settings: { pingAfterIdleMs: Infinity, pingTimeoutMs },
    }),
    forebayArm(context, plan, endpoint, {
      kind: "ping",
      name: "Forebay: also a ping after idling, and suspicion",
      settings: own,
    }),
  ];
}

function goArm(
  { pools }: ScenarioContext,
  plan: FailoverPlan,
  endpoint: Endpoint,
  kind: "naive" | "sequential",
): FailoverArm {
  const { connections, pingAfterIdleMs, pingTimeoutMs } = plan;
  const limits = { maxOpenConns: connections, maxIdleConns: connections };
  const ping = { afterMs: pingAfterIdleMs, timeoutMs: pingTimeoutMs };
  const isNaive = kind === "naive";
  const pool = pools.openGoRules(
    { ...limits, idleLoss: "unnoticed", ...(isNaive ? {} : { ping }) },
    connectionTo(endpoint),
    endpoint.url,
  );
  const none = { lost: 0, pings: 0, pingsFailed: 0 };
  return {
    kind,
    name: isNaive ? "database/sql's rules, no check" : "one ping after the other, as pgxpool's",
    role: isNaive ? "baseline" : "variant",
    settings: isNaive ? limits : { ...limits, pingAfterIdleMs, pingTimeoutMs },
    warm: (signal) => warmUp(pool, connections, REQUEST, [], signal),
    request: (signal) => pool.use((conn) => conn.query(REQUEST, [], { signal }), signal),
    counts: () => {
      const { acquireCount, dialCount, dialErrorCount } = pool.stats();
      return { ...none, acquires: acquireCount, dials: dialCount, dialErrors: dialErrorCount };
    },
    dialing: () => 0,
  };
}

function forebayArm(
  context: ScenarioContext,
  plan: FailoverPlan,
  endpoint: Endpoint,
  about: {
    readonly kind: FailoverKind;
    readonly name: string;
    readonly settings: { readonly pingAfterIdleMs: number; readonly pingTimeoutMs: number };
  },
): FailoverArm {
  const { kind, name, settings } = about;
  const db = openFailoverDb(context, plan, endpoint, settings);
  const { pingAfterIdleMs } = settings;
  return {
    kind,
    name,
    role: kind === "ping" ? "change" : "variant",
    settings: {
      maxOpenConns: plan.connections,
      ...settings,
      pingAfterIdleMs: pingAfterIdleMs === Infinity ? "Infinity" : pingAfterIdleMs,
    },
    warm: async (signal) => {
      await db.warmUp(plan.connections, { signal });
      // Each is used once: to the pool, one that is lost unused is a dial that failed.
      const uses = Array.from({ length: plan.connections }, () =>
        db.query("SELECT pg_sleep(0.05)", [], { signal }),
      );
      await Promise.all(uses);
    },
    request: (signal) => db.query(REQUEST, [], { signal }),
    counts: () => {
      const { pool } = db.stats();
      return {
        acquires: pool.acquireCount,
        dials: pool.dialCount,
        dialErrors: pool.dialErrorCount,
        lost: pool.closedBy.lost,
        pings: pool.pingCount,
        pingsFailed: pool.closedBy["ping-failed"],
      };
    },
    dialing: () => db.stats().pool.dialing,
  };
}

/** A `DB` with the limits of the arms. */
export function openFailoverDb(
  { pools }: ScenarioContext,
  plan: FailoverPlan,
  endpoint: Endpoint,
  settings: { readonly pingAfterIdleMs: number; readonly pingTimeoutMs: number },
): LabDb {
  const limits = { maxOpenConns: plan.connections, maxIdleConns: plan.connections };
  return pools.openDb(
    { ...limits, maxDialing: MAX_DIALING, ...settings, connection: connectionTo(endpoint) },
    pools.nextName(),
    endpoint.url,
  );
}

/**
 * Without TLS and passwords: four pools open twenty connections each before every fault, which is
 * not what is measured.
 */
function connectionTo({ port }: Endpoint): { readonly port: number; readonly sslMode: "disable" } {
  return { port, sslMode: "disable" };
}

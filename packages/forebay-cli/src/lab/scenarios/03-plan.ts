// Scenario 3, what is run: the timers, the arms, and how many connections they may have.

import { ScenarioNotPossible } from "../scenario.ts";

/** The timers of the guide, scaled, and the sizes that go with them. */
export interface BalancerPlan {
  /** How many times shorter than in the guide a time is here. */
  readonly scaling: number;
  /** After how long a quiet connection is cut, or forgotten: the guide's 30 minutes. */
  readonly inactivityMs: number;
  /** From one burst of traffic of an arm to its next. */
  readonly periodMs: number;
  readonly lulls: number;
  readonly silentLulls: number;
  readonly deadlineMs: number;
  readonly idleTimeMs: number;
  readonly lifetimeMs: number;
  readonly keepaliveMs: number;
  readonly pingAfterIdleMs: number;
  readonly pingTimeoutMs: number;
  /**
   * Steady traffic has a longer life of its own: twelve ends drawn over 20 % of it hold more than
   * six within `HERD_WINDOW_MS` in one of a hundred draws; over 20 % of 2.5 s, in one of twelve.
   */
  readonly steadyMs: number;
  readonly steadyLifetimeMs: number;
  /** Of each arm with lulls. */
  readonly connections: number;
  /** Of each arm of steady traffic with a limited life. */
  readonly steadyConnections: number;
}

const GUIDE_INACTIVITY_MS = 30 * 60_000;

/** How many arms have their traffic one after the other, at most. */
export const ARMS_AT_ONCE = 6;

/** Requests of one burst follow those of the one before after this long. */
export const BURST_EVERY_MS = 50;

/** How long a request holds its connection on the server, so that a burst needs all of them. */
export const HOLD_MS = 5;

/** The share by which a life may be shorter, in the arms with jitter. */
export const JITTER_RATIO = 0.2;

/** How wide the window is in which new connections are counted. */
export const HERD_WINDOW_MS = 100;

/** Connections of the arm of steady traffic that are never replaced. */
export const BUSY_CONNECTIONS = 4;

/** Makes the plan. `budget` is how many connections there may be at once. */
export function planBalancer(isQuick: boolean, budget: number): BalancerPlan {
  const connections = Math.min(5, Math.floor((budget - 4) / ARMS_AT_ONCE));
  const steadyConnections = Math.min(12, Math.floor((budget - BUSY_CONNECTIONS - 4) / 2.5));
  if (connections < 2 || steadyConnections < 6) {
    throw new ScenarioNotPossible(
      `This scenario needs 23 connections at once; the lab may have ${budget}.`,
    );
  }
  const factor = isQuick ? 0.4 : 1;
  const inactivityMs = 3000 * factor;
  return {
    scaling: GUIDE_INACTIVITY_MS / inactivityMs,
    inactivityMs,
    periodMs: 5000 * factor,
    lulls: isQuick ? 2 : 6,
    silentLulls: isQuick ? 1 : 3,
    deadlineMs: 1000,
    idleTimeMs: 2000 * factor,
    lifetimeMs: 2500 * factor,
    keepaliveMs: 1000 * factor,
    pingAfterIdleMs: 1000 * factor,
    pingTimeoutMs: 100,
    steadyMs: isQuick ? 5000 : 8500,
    steadyLifetimeMs: 4000,
    connections,
    steadyConnections,
  };
}

/** The part of a period in which an arm has traffic: then the next arm has, and this one's lull. */
export function windowMs(plan: BalancerPlan): number {
  return (0.75 * plan.periodMs) / ARMS_AT_ONCE;
}

/** The most events that any stretch of `lengthMs` holds. `timesMs` are in order. */
export function peakWithin(timesMs: readonly number[], lengthMs: number): number {
  let peak = 0;
  for (let first = 0, next = 0; next < timesMs.length; next++) {
    while ((timesMs[next] ?? 0) - (timesMs[first] ?? 0) >= lengthMs) first++;
    peak = Math.max(peak, next - first + 1);
  }
  return peak;
}

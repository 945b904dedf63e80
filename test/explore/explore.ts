// Every life of a small pool up to a length: breadth first, so that the first counterexample is a
// shortest one. States that were seen before are not gone on from. The core cannot be copied, so a
// life is lived again from its beginning for each event that is added to it.

import type { PooledConn } from "../../packages/forebay/src/driver/driver.ts";
import { Audit } from "../../packages/forebay/src/pool/audit.ts";
import { canonical } from "./canonical.ts";
import { eventsOf, run, wordsOf } from "./events.ts";
import { bringToRest } from "./rest.ts";
import { type Caller, type Setting, World } from "./world.ts";

/** How far to go. */
export interface Bounds {
  /** Events in a life, at most. */
  readonly depth: number;
  /** States to go on from, at most; what is left out is not counted as seen. */
  readonly statesMax: number;
}

/** A life that the pool did not stand. */
export interface Counterexample {
  /** The events, in words. */
  readonly life: readonly string[];
  readonly error: unknown;
}

/** What an exploration came to. */
export interface Exploration {
  /** Different states that were reached, the first one too. */
  readonly states: number;
  /** Events that were lived through, each from a different state. */
  readonly transitions: number;
  /** All states were reached that so many events lead to. */
  readonly depth: number;
  /** Whether no more events would have led to more states. */
  readonly isComplete: boolean;
  readonly counterexample: Counterexample | undefined;
}

type Life = readonly number[];

/** The world after these events. */
function relive(setting: Setting, life: Life): World {
  const world = new World(setting);
  for (const event of life) run(world, event);
  return world;
}

/**
 * The world after these events, and an auditor who knows it. He was there from the beginning only
 * where a bulkhead now uses more than it may, which must have been so before: that takes time.
 */
function reliveAudited(setting: Setting, life: Life): [World, Audit<PooledConn, Caller>] {
  const late = relive(setting, life);
  if (!late.core.lanes.all.some(({ inUse, limits }) => inUse > limits.maxInUse)) {
    const audit = new Audit<PooledConn, Caller>(late.core);
    audit.check(late.nowMs);
    return [late, audit];
  }
  const world = new World(setting);
  const audit = new Audit<PooledConn, Caller>(world.core);
  for (const event of life) {
    run(world, event);
    audit.check(world.nowMs);
  }
  return [world, audit];
}

/** Lives all lives of a pool within bounds, until one fails. */
export function explore(setting: Setting, { depth, statesMax }: Bounds): Exploration {
  const seen = new Set<number>();
  let transitions = 0;
  let level: Life[] = [[]];
  const done = (reached: number, counterexample?: Counterexample): Exploration => {
    const isComplete = level.length === 0;
    return { states: seen.size, transitions, depth: reached, isComplete, counterexample };
  };
  const first = arrive(setting, [], undefined, seen);
  if (first !== "new") return done(0, first === "seen" ? undefined : first);
  for (let length = 1; length <= depth; length++) {
    const next: Life[] = [];
    for (const life of level) {
      const events = eventsOf(relive(setting, life));
      for (const event of events) {
        transitions += 1;
        const outcome = arrive(setting, life, event, seen);
        if (outcome === "new") next.push([...life, event]);
        else if (outcome !== "seen") return done(length, outcome);
        if (seen.size >= statesMax) return done(length - 1);
      }
    }
    level = next;
    if (level.length === 0) return done(length);
  }
  return done(depth);
}

/** Adds one event to a life, and checks all that must hold then. */
function arrive(
  setting: Setting,
  life: Life,
  event: number | undefined,
  seen: Set<number>,
): "new" | "seen" | Counterexample {
  const words = () => [...life, ...(event === undefined ? [] : [event])].map(wordsOf);
  const rest: string[] = [];
  try {
    const [world, audit] = reliveAudited(setting, life);
    if (event !== undefined) {
      world.isCounting = true;
      run(world, event);
      audit.check(world.nowMs);
    }
    const state = hash(canonical(world));
    if (seen.has(state)) return "seen";
    seen.add(state);
    bringToRest(world, rest);
    return "new";
  } catch (error) {
    return { life: [...words(), ...rest.map((each) => `then ${each}`)], error };
  }
}

/** 53 bits: two of a million states are taken for one with a chance of 1 in 10,000. */
function hash(text: string): number {
  let [low, high] = [0xdeadbeef, 0x41c6ce57];
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    low = Math.imul(low ^ code, 2654435761);
    high = Math.imul(high ^ code, 1597334677);
  }
  low = Math.imul(low ^ (low >>> 16), 2246822507) ^ Math.imul(high ^ (high >>> 13), 3266489909);
  high = Math.imul(high ^ (high >>> 16), 2246822507) ^ Math.imul(low ^ (low >>> 13), 3266489909);
  return 4294967296 * (2097151 & high) + (low >>> 0);
}

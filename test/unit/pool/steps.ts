// What the tests of the pool do again and again: take some connections, see how a promise stands,
// drive a pool with a hand-made connector.

import { seededRandom } from "../../../packages/forebay/src/base/random.ts";
import type {
  ConnectOptions,
  Connector,
  PooledConn,
} from "../../../packages/forebay/src/driver/driver.ts";
import { PoolError } from "../../../packages/forebay/src/pool/errors.ts";
import type { Lease } from "../../../packages/forebay/src/pool/lease.ts";
import type { BackgroundTask, PoolOptions } from "../../../packages/forebay/src/pool/options.ts";
import { type AcquireOptions, Pool } from "../../../packages/forebay/src/pool/pool.ts";
import type { RetireReason } from "../../../packages/forebay/src/pool/state.ts";
import type { FakeConn, FakeScript } from "../../../packages/forebay/src/testing/fake-connector.ts";
import { VirtualClock } from "../../../packages/forebay/src/testing/virtual-clock.ts";
import type { PoolBench } from "../../support/pool.ts";

/** How a promise stands. */
export interface Seen<T> {
  state: "pending" | "resolved" | "rejected";
  value: T | undefined;
  reason: unknown;
}

/** Keeps an eye on a promise, so that a rejection is never unhandled. */
export function watch<T>(promise: Promise<T>): Seen<T> {
  const seen: Seen<T> = { state: "pending", value: undefined, reason: undefined };
  promise.then(
    (value) => {
      seen.state = "resolved";
      seen.value = value;
    },
    (reason: unknown) => {
      seen.state = "rejected";
      seen.reason = reason;
    },
  );
  return seen;
}

/** Why a promise was rejected. */
export async function reasonOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (reason) {
    return reason;
  }
  throw new Error("it was not rejected");
}

/** The pool's error with which a promise was rejected. */
export async function poolErrorOf(promise: Promise<unknown>): Promise<PoolError> {
  const reason = await reasonOf(promise);
  if (reason instanceof PoolError) return reason;
  throw reason;
}

/** Takes connections, letting dials end that take no time. */
export async function take(bench: PoolBench, count: number): Promise<Lease<FakeConn>[]> {
  const acquires = Array.from({ length: count }, () => bench.pool.acquire());
  await bench.advance(0);
  return Promise.all(acquires);
}

/** Takes one connection. */
export async function takeOne(bench: PoolBench): Promise<Lease<FakeConn>> {
  const [lease] = await take(bench, 1);
  if (lease === undefined) throw new Error("nothing was leased");
  return lease;
}

/** Opens `count` connections and gives all back, the one opened first being idle longest. */
export async function fill(bench: PoolBench, count: number): Promise<FakeConn[]> {
  const leases = await take(bench, count);
  const conns = leases.map((lease) => lease.conn);
  for (const lease of leases) lease.release();
  await bench.advance(0);
  return conns;
}

/** Queues an acquire, and notes its name in `served` when it is served. The lease is kept. */
export function queue(
  bench: PoolBench,
  served: string[],
  name: string,
  options?: AcquireOptions,
): Seen<Lease<FakeConn>> {
  const acquire = bench.pool.acquire(options);
  acquire.then(
    () => served.push(name),
    () => served.push(`${name} rejected`),
  );
  return watch(acquire);
}

/** The lease that an acquire came to. */
export function leaseOf(seen: Seen<Lease<FakeConn>>): Lease<FakeConn> {
  if (seen.value === undefined) throw new Error(`the acquire is ${seen.state}`);
  return seen.value;
}

/** The retire reasons that were counted, without those that were not. */
export function closedBy(bench: PoolBench): Partial<Record<RetireReason, number>> {
  const counts = Object.entries(bench.pool.stats().pool.closedBy);
  return Object.fromEntries(counts.filter(([, count]) => count > 0));
}

/** A script in which one kind of call has outcomes of its own, and all else goes well. */
export function script(on: Partial<Record<Parameters<FakeScript>[0], FakeScript>>): FakeScript {
  return (call, connId) => on[call]?.(call, connId) ?? "ok";
}

/** What a pool reported of its background work. */
export interface Reports {
  readonly list: { readonly task: BackgroundTask; readonly error: unknown }[];
  readonly onBackgroundError: (error: unknown, task: BackgroundTask) => void;
}

/** Gathers what a pool reports. */
export function reports(): Reports {
  const list: Reports["list"] = [];
  return { list, onBackgroundError: (error, task) => list.push({ task, error }) };
}

/** A pool on a hand-made connector. */
export function poolOf<C extends PooledConn>(
  connect: (options: ConnectOptions) => Promise<C>,
  options: PoolOptions = {},
  more: Omit<Connector<C>, "name" | "connect"> = {},
): { readonly pool: Pool<C>; readonly clock: VirtualClock } {
  const clock = new VirtualClock();
  const pool = new Pool<C>(
    { name: "hand-made", connect, ...more },
    {
      connMaxLifetimeMs: Infinity,
      connMaxIdleTimeMs: Infinity,
      acquireTimeoutMs: Infinity,
      clock,
      random: seededRandom(1),
      ...options,
    },
  );
  return { pool, clock };
}

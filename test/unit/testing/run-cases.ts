// Runs the conformance cases on the virtual clock.

import type { Connector, DriverConn } from "../../../packages/forebay/src/driver/driver.ts";
import {
  checkDriver,
  DriverConformanceError,
  type DriverDialect,
  type DriverReport,
  VirtualClock,
} from "../../../packages/forebay/src/testing/index.ts";

/** What `checkDriver` reports, whether it resolves or rejects. */
export async function reportOn<C extends DriverConn>(
  connector: Connector<C>,
  dialect: DriverDialect<C>,
  clock: VirtualClock = new VirtualClock(),
): Promise<DriverReport> {
  const checking = checkDriver(connector, dialect, {
    clock,
    callTimeoutMs: 200,
    abortRounds: 12,
  }).catch((error: unknown) => {
    if (error instanceof DriverConformanceError) return error.report;
    throw error;
  });
  return inVirtualTime(clock, checking);
}

/** Lets time pass until the promise settles. */
export async function inVirtualTime<T>(clock: VirtualClock, promise: Promise<T>): Promise<T> {
  const state = { settled: false };
  const settle = (): void => {
    state.settled = true;
  };
  promise.then(settle, settle);
  await clock.settle();
  while (!state.settled) {
    const nextMs = clock.nextTimerAtMs;
    if (nextMs === Infinity) throw new Error("nothing is going to happen any more");
    await clock.advance(nextMs - clock.nowMs());
  }
  return promise;
}

/** The names of the cases that failed, each with what was found. */
export function failures({ cases }: DriverReport): string[] {
  return cases
    .filter(({ outcome }) => outcome === "failed")
    .map(({ name, error }) => `${name}: ${error?.message}`);
}

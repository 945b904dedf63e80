// Runs the conformance cases against a driver, in one call or one by one in a test runner of the
// author's choice.

import { type Clock, systemClock } from "../../base/clock.ts";
import type { Connector, DriverConn } from "../../driver/driver.ts";
import { abortCases } from "./abort-cases.ts";
import { Bench, Breach, describe, inTime, Skip } from "./bench.ts";
import { capabilityCases } from "./capability-cases.ts";
import type { CaseSpec } from "./case.ts";
import { closeCases, connectCases } from "./connect-cases.ts";
import type { DriverDialect } from "./dialect.ts";
import { extensionCases } from "./extension-cases.ts";
import { lossCases } from "./loss-cases.ts";
import { preparedCases } from "./prepared-cases.ts";
import { resultSetCases } from "./result-set-cases.ts";
import { rowsCases } from "./rows-cases.ts";
import { sessionCases } from "./session-cases.ts";
import { statementCases } from "./statement-cases.ts";
import { txCases } from "./tx-cases.ts";

const SPECS: readonly CaseSpec[] = [
  ...connectCases,
  ...closeCases,
  ...statementCases,
  ...rowsCases,
  ...preparedCases,
  ...abortCases,
  ...txCases,
  ...sessionCases,
  ...lossCases,
  ...resultSetCases,
  ...capabilityCases,
  ...extensionCases,
];

/** How the cases are run. */
export interface CheckDriverOptions {
  /** On which the cases wait. @defaultValue the system's clock */
  readonly clock?: Clock | undefined;
  /**
   * How long any one call may take, in milliseconds; more than the slowest good one.
   * @defaultValue 5000
   */
  readonly callTimeoutMs?: number | undefined;
  /** How long a case may take, in milliseconds. @defaultValue 60000 */
  readonly caseTimeoutMs?: number | undefined;
  /**
   * How often an abort is tried against the calls that follow it. What goes wrong there is a race,
   * so that more rounds find what is rarer: thousands for a night, with a longer `caseTimeoutMs`.
   * @defaultValue 80, about a second on a local server
   */
  readonly abortRounds?: number | undefined;
}

/** How one case ended. */
export interface DriverCaseReport {
  readonly name: string;
  /** What the contract says. */
  readonly rule: string;
  readonly outcome: "passed" | "failed" | "skipped";
  /** What the driver did; of failed cases. */
  readonly error?: Error;
  /** Why there was nothing to try; of skipped cases. */
  readonly reason?: string;
}

/** How all cases ended, in order. */
export interface DriverReport {
  readonly cases: readonly DriverCaseReport[];
}

/** One case, to be run by a test runner. */
export interface DriverCase {
  /** What a driver does, as a sentence. */
  readonly name: string;
  /** What the contract says. */
  readonly rule: string;
  /**
   * Runs the case. Resolves when it passed or was skipped, with its report; rejects with
   * `DriverConformanceError` when it failed. Ends in bounded time, with every connection closed.
   * Needs no `this`, and takes no argument. Cases are to run one after another.
   */
  readonly run: () => Promise<DriverCaseReport>;
}

/** A driver broke the contract. The message lists each failure, and the rule that it broke. */
export class DriverConformanceError extends Error {
  readonly code = "DRIVER_NONCONFORMING";
  /** How all cases that were run ended. */
  readonly report: DriverReport;

  constructor(connectorName: string, report: DriverReport) {
    const failed = report.cases.filter(({ outcome }) => outcome === "failed");
    const list = failed.map(
      ({ name, rule, error }) => `\n\n  ${name}\n    rule: ${rule}\n    found: ${error?.message}`,
    );
    super(
      `the driver of ${connectorName} breaks its contract in ${failed.length} of ` +
        `${report.cases.length} cases [DRIVER_NONCONFORMING]${list.join("")}`,
      failed.length === 1 ? { cause: failed[0]?.error } : undefined,
    );
    this.name = "DriverConformanceError";
    this.report = report;
  }
}

/**
 * The cases of the driver contract, for any test runner: each opens connections of its own and
 * closes them. See `checkDriver` to run them all at once.
 *
 * @example
 * ```ts
 * import { test } from "node:test";
 * import { type PgConnection, postgres } from "forebay/postgres";
 * import { type DriverDialect, driverCases } from "forebay/testing";
 *
 * declare const dialect: DriverDialect<PgConnection>;
 *
 * for (const { name, run } of driverCases(postgres("postgres://localhost/test"), dialect)) {
 *   test(name, async (t) => {
 *     const { reason } = await run();
 *     if (reason !== undefined) t.skip(reason);
 *   });
 * }
 * ```
 */
export function driverCases<C extends DriverConn>(
  connector: Connector<C>,
  dialect: DriverDialect<C>,
  options: CheckDriverOptions = {},
): DriverCase[] {
  return SPECS.map((spec) => ({
    name: spec.name,
    rule: spec.rule,
    run: async () => {
      const report = await runCase(spec, connector, dialect, options);
      if (report.outcome === "failed") {
        throw new DriverConformanceError(connector.name, { cases: [report] });
      }
      return report;
    },
  }));
}

/**
 * Checks that a driver keeps the contract of `forebay/driver`: connects many times, runs every
 * operation, aborts, fails and closes it, and says what it found. Resolves with what every case
 * gave when none failed; else rejects with `DriverConformanceError`. Takes seconds on a real
 * server. Nothing stays open; the connector itself is not closed.
 *
 * While it runs, a rejection that nobody handles, anywhere in the process, fails the case in which
 * it came.
 *
 * @example
 * ```ts
 * import { type PgConnection, postgres } from "forebay/postgres";
 * import { checkDriver, type DriverDialect } from "forebay/testing";
 *
 * declare const dialect: DriverDialect<PgConnection>;
 *
 * const { cases } = await checkDriver(postgres("postgres://localhost/test"), dialect);
 * for (const { name, outcome, reason = "" } of cases) console.log(outcome, name, reason);
 * ```
 */
export async function checkDriver<C extends DriverConn>(
  connector: Connector<C>,
  dialect: DriverDialect<C>,
  options: CheckDriverOptions = {},
): Promise<DriverReport> {
  const cases: DriverCaseReport[] = [];
  for (const spec of SPECS) cases.push(await runCase(spec, connector, dialect, options));
  const report = { cases };
  if (cases.some(({ outcome }) => outcome === "failed")) {
    throw new DriverConformanceError(connector.name, report);
  }
  return report;
}

async function runCase<C extends DriverConn>(
  { name, rule, run }: CaseSpec,
  connector: Connector<C>,
  dialect: DriverDialect<C>,
  options: CheckDriverOptions,
): Promise<DriverCaseReport> {
  const { clock = systemClock, callTimeoutMs = 5000, caseTimeoutMs = 60_000 } = options;
  const { abortRounds = 80 } = options;
  const bench = new Bench<C>(connector, dialect, { clock, callTimeoutMs, abortRounds });
  const unhandled: unknown[] = [];
  const onUnhandled = (reason: unknown): void => void unhandled.push(reason);
  process.on("unhandledRejection", onUnhandled);
  let outcome: unknown;
  try {
    await inTime(clock, caseTimeoutMs, "the case", run(bench as unknown as Bench));
  } catch (error) {
    outcome = error;
  }
  await bench.cleanUp();
  // In between, those rejections are told of that nobody handles.
  await bench.turns(2);
  process.off("unhandledRejection", onUnhandled);
  if (outcome instanceof Skip) return { name, rule, outcome: "skipped", reason: outcome.message };
  if (outcome === undefined && unhandled.length > 0) {
    const what = unhandled.map(describe).join("; ");
    outcome = new Breach(`a promise was rejected, and nobody handled it: ${what}`, unhandled[0]);
  }
  if (outcome === undefined) return { name, rule, outcome: "passed" };
  return { name, rule, outcome: "failed", error: asError(outcome) };
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Breach(describe(error), error);
}

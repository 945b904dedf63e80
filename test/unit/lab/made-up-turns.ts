// Turns and a context for tests of what a scenario says, without a server.

import { LatencyHistogram } from "../../../packages/forebay-cli/src/lab/histogram.ts";
import { seededLabRandom } from "../../../packages/forebay-cli/src/lab/random.ts";
import type {
  Findings,
  Judge,
  ScenarioContext,
} from "../../../packages/forebay-cli/src/lab/scenario.ts";
import type { Turn } from "../../../packages/forebay-cli/src/lab/turn.ts";
import { judge } from "../../../packages/forebay-cli/src/lab/verdict.ts";

/** A turn of requests that all took as long. */
export function madeUpTurn(requests: number, responseMs: number, clientCpuMs: number): Turn {
  const response = new LatencyHistogram();
  for (let request = 0; request < requests; request++) response.recordMs(responseMs);
  return {
    requests,
    response,
    failed: 0,
    failures: {},
    durationMs: requests * responseMs,
    utilisationRatio: 0.5,
    clientCpuMs,
    serverCpuMs: undefined,
  };
}

/** As many of the same. */
export function eight<T>(value: T): T[] {
  return Array.from({ length: 8 }, () => value);
}

/** What findings need of a context. */
export const madeUpContext = {
  random: seededLabRandom(1),
  isQuick: false,
  calibration: { timerLateP99Ms: 1 },
} as unknown as ScenarioContext;

/** Judges without any warning. */
export const plainJudge: Judge = (question) => judge(question);

/** All that a scenario says, as one text. */
export function saidBy(findings: Findings): string {
  return JSON.stringify(findings);
}

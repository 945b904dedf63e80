// One turn of an arm: its load is run, and what it took of this process and of the server is
// measured with it.

import { sum } from "./compare.ts";
import { type FailureCounts, failureMeasures } from "./failures.ts";
import { LatencyHistogram } from "./histogram.ts";
import { runClosedLoad, runOpenLoad } from "./load.ts";
import { readTreeCpuMs } from "./machine.ts";
import type { ScenarioContext } from "./scenario.ts";

/** What one turn gave. */
export interface Turn {
  /** Requests that ended, well or not. */
  readonly requests: number;
  /** From when a request was due (open load) or begun (closed) until it ended. */
  readonly response: LatencyHistogram;
  /** How many of the requests failed, and how: by code or name. */
  readonly failed: number;
  readonly failures: FailureCounts;
  readonly durationMs: number;
  readonly utilisationRatio: number;
  readonly clientCpuMs: number;
  /** CPU time of the server; undefined where it cannot be seen. */
  readonly serverCpuMs: number | undefined;
}

interface EveryTurn {
  /**
   * `effect` for an arm that drives the event loop to its limit by intent: it does not count
   * against the trust in the scenario's figures.
   *
   * @defaultValue "counts"
   */
  readonly counts?: "counts" | "effect";
}

/** Requests that come when they come. */
export interface OpenTurn extends EveryTurn {
  readonly arrivalsMs: readonly number[];
  /** As `OpenLoad.wake`. @defaultValue "timer" */
  readonly wake?: "timer" | "spin";
  /** One request. Its failure is counted. */
  operate(index: number, dueAtMs: number): Promise<void>;
}

/** Runs a turn of open load. Rejects only on abort. */
export function openTurn(context: ScenarioContext, turn: OpenTurn): Promise<Turn> {
  const { clock, signal } = context;
  return measured(context, turn, async () => {
    const load = await runOpenLoad({
      clock,
      signal,
      arrivalsMs: turn.arrivalsMs,
      wake: turn.wake ?? "timer",
      operate: (index, dueAtMs) => turn.operate(index, dueAtMs),
    });
    const response = new LatencyHistogram();
    for (const ms of load.responseMs) response.recordMs(ms);
    const { failures, durationMs } = load;
    return {
      requests: response.count,
      response,
      failed: sum([...load.failed]),
      failures,
      durationMs,
    };
  });
}

/** Callers of whom each asks again as soon as he is served. One of the two limits is needed. */
export interface ClosedTurn extends EveryTurn {
  readonly callers: number;
  /** How many requests in all. @defaultValue `Infinity` */
  readonly requests?: number;
  /** No request begins after this long. @defaultValue `Infinity` */
  readonly durationMs?: number;
  /** One request. A failure ends the turn, which then rejects with it. */
  operate(index: number): Promise<void>;
}

/** Runs a turn of closed load. Rejects on abort, and with the first failure. */
export function closedTurn(context: ScenarioContext, turn: ClosedTurn): Promise<Turn> {
  const { clock, signal } = context;
  return measured(context, turn, async () => {
    const { response, requests, durationMs } = await runClosedLoad({
      clock,
      signal,
      callers: turn.callers,
      requests: turn.requests ?? Infinity,
      durationMs: turn.durationMs ?? Infinity,
      operate: (index) => turn.operate(index),
    });
    return { requests, response, failed: 0, failures: {}, durationMs };
  });
}

type Load = Pick<Turn, "requests" | "response" | "failed" | "failures" | "durationMs">;

async function measured(
  context: ScenarioContext,
  turn: EveryTurn,
  run: () => Promise<Load>,
): Promise<Turn> {
  const { postmasterPid } = context.facts;
  const readServerCpu = async (): Promise<number | undefined> =>
    postmasterPid === undefined ? undefined : readTreeCpuMs(postmasterPid);
  const before = await readServerCpu();
  context.loop.begin();
  const load = await run();
  const { clientCpuMs, utilisationRatio } = context.loop.end(turn.counts ?? "counts");
  const after = await readServerCpu();
  const serverCpuMs = before === undefined || after === undefined ? undefined : after - before;
  return { ...load, utilisationRatio, clientCpuMs, serverCpuMs };
}

/** The response times of several turns as one histogram. */
export function responseOf(turns: readonly Pick<Turn, "response">[]): LatencyHistogram {
  const all = new LatencyHistogram();
  for (const turn of turns) all.add(turn.response);
  return all;
}

/** Throws when a request of the turns has failed: for arms in which none may. */
export function mustNotFail(turns: readonly Turn[]): void {
  const kinds = turns.flatMap((turn) => Object.keys(turn.failures));
  if (kinds.length === 0) return;
  const failed = sum(turns.map((turn) => turn.failed));
  throw new Error(`${failed} requests failed: ${[...new Set(kinds)].join(", ")}`);
}

/** What a report shows of an arm's turns: latency, failures, and CPU time for each request. */
export function measuresOf(turns: readonly Turn[]): Record<string, number> {
  const requests = sum(turns.map((turn) => turn.requests));
  const server = turns.map((turn) => turn.serverCpuMs).filter((ms) => ms !== undefined);
  return {
    requests,
    ...responseOf(turns).measures(),
    clientCpuPerRequestMs: sum(turns.map((turn) => turn.clientCpuMs)) / requests,
    ...(server.length === turns.length ? { serverCpuPerRequestMs: sum(server) / requests } : {}),
    eventLoopUtilisationRatio: Math.max(...turns.map((turn) => turn.utilisationRatio)),
    ...failureMeasures(turns),
  };
}

// Several kinds of requests at once, each with its own arrivals and its own response times: for
// scenarios in which one kind must not hold up another.

import { setMaxListeners } from "node:events";
import { LatencyHistogram } from "./histogram.ts";
import { countFailure, failureKind, failuresOf } from "./failures.ts";
import type { ScenarioContext } from "./scenario.ts";
import { openTurn, type Turn } from "./turn.ts";

/** One kind of requests. */
export interface Route {
  readonly name: string;
  /** When each is due, in milliseconds from the start. */
  readonly arrivalsMs: readonly number[];
  /**
   * True for work that is called off as soon as all requests of the other routes have ended.
   * @defaultValue false
   */
  readonly isCut?: boolean;
  /** One request. A failure is counted. */
  operate(index: number, signal: AbortSignal): Promise<void>;
}

/** What became of the requests of one route. */
export interface RouteResult {
  readonly offered: number;
  readonly done: number;
  /** Called off when the turn ended. */
  readonly cut: number;
  readonly failed: number;
  readonly failures: Readonly<Record<string, number>>;
  /** Of those that were done: from when each was due until it had ended. */
  readonly response: LatencyHistogram;
}

/** What a turn with several routes gave. */
export interface RoutesTurn<Name extends string> extends Turn {
  readonly routes: Readonly<Record<Name, RouteResult>>;
}

interface Counts {
  offered: number;
  done: number;
  cut: number;
  failed: number;
  readonly failures: Record<string, number>;
  readonly response: LatencyHistogram;
}

/**
 * Runs a turn of open load made of all routes. Their requests are begun in order of arrival.
 * Rejects only on abort.
 */
export async function routesTurn<Name extends string>(
  context: ScenarioContext,
  routes: readonly (Route & { readonly name: Name })[],
): Promise<RoutesTurn<Name>> {
  const { clock, signal } = context;
  const all = routes
    .flatMap((route) => route.arrivalsMs.map((atMs, index) => ({ route, atMs, index })))
    .sort((a, b) => a.atMs - b.atMs);
  const counts = new Map<string, Counts>(routes.map((route) => [route.name, noCounts(route)]));
  let toEnd = all.filter(({ route }) => route.isCut !== true).length;
  const cutter = new AbortController();
  const either = AbortSignal.any([signal, cutter.signal]);
  setMaxListeners(0, either);
  const turn = await openTurn(context, {
    arrivalsMs: all.map(({ atMs }) => atMs),
    operate: async (at, dueAtMs) => {
      const one = all[at];
      const count = counts.get(one?.route.name ?? "");
      if (one === undefined || count === undefined) throw new RangeError("no such arrival");
      const isCut = one.route.isCut === true;
      try {
        await one.route.operate(one.index, isCut ? either : signal);
        count.done++;
        count.response.recordMs(clock.nowMs() - dueAtMs);
      } catch (error) {
        if (isCut && cutter.signal.aborted) {
          count.cut++;
          return;
        }
        count.failed++;
        countFailure(count.failures, failureKind(error));
        throw error;
      } finally {
        if (!isCut && --toEnd === 0) cutter.abort();
      }
    },
  });
  return { ...turn, routes: Object.fromEntries(counts) as Record<Name, RouteResult> };
}

function noCounts(route: Route): Counts {
  return {
    offered: route.arrivalsMs.length,
    done: 0,
    cut: 0,
    failed: 0,
    failures: {},
    response: new LatencyHistogram(),
  };
}

/** One kind's results over several turns. */
export function totalOf(results: readonly RouteResult[]): RouteResult {
  const total: Counts = {
    offered: 0,
    done: 0,
    cut: 0,
    failed: 0,
    failures: failuresOf(results),
    response: new LatencyHistogram(),
  };
  for (const result of results) {
    total.offered += result.offered;
    total.done += result.done;
    total.cut += result.cut;
    total.failed += result.failed;
    total.response.add(result.response);
  }
  return total;
}

/** Throws when a request of a route has failed, where none may. */
export function routesMustNotFail(results: readonly RouteResult[]): void {
  const { failed, failures } = totalOf(results);
  if (failed > 0) throw new Error(`${failed} requests failed: ${Object.keys(failures).join(", ")}`);
}

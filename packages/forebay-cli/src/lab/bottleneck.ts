// What limits a closed load, from what the client can see of it.

/** What limits. */
export type Bottleneck = "pool" | "query" | "loop";

/** Above this the event loop has no time left for more. */
const LOOP_FULL_RATIO = 0.85;
/** From this share on, waiting for a connection is the rule. */
const WAITS_ARE_THE_RULE_RATIO = 0.5;

/**
 * `loop` where this process is busy all the time: then a larger pool only makes a longer queue,
 * whatever waits are counted. Else `pool` where most requests wait for a connection, and `query`
 * where they have one and wait for the server.
 */
export function bottleneckOf(seen: {
  readonly waitsPerRequest: number;
  readonly utilisationRatio: number;
}): Bottleneck {
  if (seen.utilisationRatio >= LOOP_FULL_RATIO) return "loop";
  return seen.waitsPerRequest >= WAITS_ARE_THE_RULE_RATIO ? "pool" : "query";
}

/**
 * How far the response time is from what the response-time law of closed systems says without think
 * time, callers / throughput, as a share of it (J. D. C. Little 1961; Lazowska and others,
 * Quantitative System Performance, 1984, sec. 3.5). Far off, and the benchmark times the wrong
 * thing.
 */
export function responseLawError(run: {
  readonly callers: number;
  readonly requests: number;
  readonly durationMs: number;
  readonly meanMs: number;
}): number {
  const predictedMs = (run.callers * run.durationMs) / run.requests;
  return Math.abs(run.meanMs - predictedMs) / run.meanMs;
}

/**
 * The mean wait for a connection in a closed load without think time: those of the `callers` who
 * have none of the `size` connections wait, so that a request waits (callers - size) / throughput.
 * 0 where there are connections for all.
 */
export function closedWaitMs(run: {
  readonly callers: number;
  readonly size: number;
  readonly requests: number;
  readonly durationMs: number;
}): number {
  return (Math.max(0, run.callers - run.size) * run.durationMs) / run.requests;
}

// What limits a load: a pure function over the figures of one arm.

import { duration, percent, times } from "../lab/words.ts";

/** What can limit a load. */
export type Bound = "pool-bound" | "query-bound" | "loop-bound" | "server-bound";

/** The verdict on one arm. */
export interface Verdict {
  readonly bound: Bound;
  /** Why, with figures, and what follows, as sentences. */
  readonly because: string;
}

/** The figures that decide. */
export interface VerdictFigures {
  /** Mean response, with the wait for a connection. */
  readonly meanMs: number;
  /** Of that, waiting for a connection. */
  readonly waitMsPerOp: number;
  /** Of that, before the request was even begun: 0 for closed loads. */
  readonly lateMsPerOp: number;
  readonly loopUtilisationRatio: number;
  readonly clientCpuMsPerOp: number;
  /** Share of the CPU time of the server's cores; undefined where it cannot be seen. */
  readonly serverCpuRatio: number | undefined;
  /** Mean response of one caller alone, without a wait: what a query takes at best. */
  readonly aloneMs: number;
}

/** An event loop as busy as this is what everything waits for. */
const LOOP_BUSY_RATIO = 0.9;
/** A timer is late by up to 1 ms, and often by a little more. */
const TIMER_MS = 2;
/** CPUs as busy as this have nothing left to give. */
const SERVER_BUSY_RATIO = 0.85;
/** A query that takes this many times as long as alone is queued in the server. */
const SLOWED_DOWN = 2;
/** A wait below this share of the response is not worth a change. */
const WAIT_RATIO = 0.1;

/**
 * Names what limits the load.
 *
 * The order matters. A busy event loop delays everything that is measured through it, so it comes
 * first. Then the server: while it is saturated, a larger pool would only move the queue into it.
 * Waiting for a connection is the limit only where both have room.
 */
export function judgeLoad(figures: VerdictFigures): Verdict {
  const { meanMs, waitMsPerOp, lateMsPerOp, loopUtilisationRatio, serverCpuRatio } = figures;
  if (loopUtilisationRatio >= LOOP_BUSY_RATIO) {
    return {
      bound: "loop-bound",
      because:
        `This process's event loop is busy for ${percent(loopUtilisationRatio)} of the time. ` +
        "Neither the pool nor the server can make it faster: fetch less, pipeline, or use more " +
        "processes.",
    };
  }
  if (lateMsPerOp > TIMER_MS && lateMsPerOp > meanMs / 2) {
    return {
      bound: "loop-bound",
      because:
        `This process begins its requests ${duration(lateMsPerOp)} late, with its event loop ` +
        `busy for ${percent(loopUtilisationRatio)} of the time: it waits for a CPU, or something ` +
        "blocks it now and then. Neither the pool nor the server can make it faster.",
    };
  }
  const inQueryMs = Math.max(0, meanMs - waitMsPerOp - lateMsPerOp);
  const expectedMs = figures.aloneMs + loopDelayMs(figures);
  const slowedDown = expectedMs > 0 ? inQueryMs / expectedMs : 1;
  if ((serverCpuRatio ?? 0) >= SERVER_BUSY_RATIO || slowedDown >= SLOWED_DOWN) {
    return { bound: "server-bound", because: whyServer(inQueryMs, slowedDown, serverCpuRatio) };
  }
  const waitRatio = meanMs > 0 ? waitMsPerOp / meanMs : 0;
  if (waitRatio >= WAIT_RATIO) {
    return {
      bound: "pool-bound",
      because:
        `${percent(waitRatio)} of the response is the wait for a connection, while event loop ` +
        "and server have room: raise maxOpenConns, or hold connections for less time.",
    };
  }
  return {
    bound: "query-bound",
    because:
      `The query and the way there and back take ${duration(inQueryMs)}, and the wait for a ` +
      `connection is ${percent(waitRatio)} of the response. A larger pool changes nothing: make ` +
      "the query faster, or the way shorter.",
  };
}

function whyServer(inQueryMs: number, slowedDown: number, cpuRatio: number | undefined): string {
  const slow =
    `A query takes ${duration(inQueryMs)} in the server and on the way, ${times(slowedDown)} ` +
    "what it would take alone.";
  if (cpuRatio === undefined || cpuRatio >= SERVER_BUSY_RATIO) {
    const cpu = cpuRatio === undefined ? "" : ` Its CPUs are busy for ${percent(cpuRatio)}.`;
    return (
      `${slow}${cpu} More connections would only make it slower: make the query cheaper, or the ` +
      "server larger."
    );
  }
  return (
    `${slow} Its CPUs are busy for ${percent(cpuRatio)} with it: the rest is locks, the disk, or ` +
    "other programs on the machine. More connections would not help."
  );
}

/**
 * What a busy event loop adds to a query, as a queue with one server: its own work for the request,
 * times u / (1 - u). Without this, a loop at 80 % would look like a slow server.
 */
function loopDelayMs({ clientCpuMsPerOp, loopUtilisationRatio }: VerdictFigures): number {
  return (clientCpuMsPerOp * loopUtilisationRatio) / (1 - loopUtilisationRatio);
}

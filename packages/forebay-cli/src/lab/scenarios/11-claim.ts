// Scenario 11, the guide's statements one by one.

import { claimOf, part, notLookedAt } from "../claim.ts";
import type { Claim, ClaimPart } from "../scenario.ts";
import { counted, duration, figure, percent } from "../words.ts";
import { type FailoverFigures, LOUD } from "./11-figures.ts";
import type { FailoverPlan } from "./11-plan.ts";

/** What the guide says about validation, held against the run. */
export function claimOfFailover(plan: FailoverPlan, figures: FailoverFigures): Claim {
  const silent = figures.of("silence", "detection");
  const { naive, detection } = figures.loud;
  return claimOf(
    "After a failover every old connection is dead, and the pool only learns when it hands one " +
      "out: the first 50 requests hit ErrBadConn and are tried again, and p99 goes from 5 ms to " +
      "3 s. With a Validator dead connections are discarded before reuse, and no user sees a " +
      "failure.",
    [
      handedOutPart(plan, figures),
      triedAgainPart(figures),
      tailPart(figures),
      aloudPart(figures),
      silentPart(figures),
      notLookedAt(
        "pgx/stdlib supports the Validator, lib/pq does not.",
        "No driver of Go runs here. Node's counterpart of a check without input and output is to " +
          "read idle sockets all the time, which Forebay does.",
      ),
    ],
    {
      refuted:
        `Where ends are told, rules that do not listen handed out ` +
        `${counted(naive.stale, "dead connection")}, a pool that reads idle sockets ` +
        `${figure(detection.stale)}. ` +
        (silent.errors > 0
          ? `Silence cannot be read: there ${figure(silent.errors)} of ` +
            `${counted(silent.requests, "request")} failed without a ping. `
          : "") +
        "And where a server is there at once, p99 with all the dead connections was " +
        `${duration(figures.of("switch", "naive").response.percentileMs(99))}.`,
      holds: "Every statement came out as the guide says.",
      inconclusive: "What could be decided came out as the guide says.",
    },
  );
}

function handedOutPart({ rounds }: FailoverPlan, figures: FailoverFigures): ClaimPart {
  const { naive } = figures.loud;
  const idle = figures.idle * LOUD.length;
  return part(
    "Every old connection is dead, and the pool learns it when it hands one out.",
    naive.stale >= 0.9 * idle,
    `By database/sql's rules ${figure(naive.stale)} of ${figure(idle)} idle connections were ` +
      `handed out dead, in ${figure(LOUD.length * rounds)} restarts and switches.`,
  );
}

function triedAgainPart(figures: FailoverFigures): ClaimPart {
  const switched = figures.of("switch", "naive");
  const restarts = LOUD.filter((fault) => fault !== "switch").map((fault) =>
    figures.of(fault, "naive"),
  );
  const errors = restarts.reduce((total, run) => total + run.errors, 0);
  const requests = restarts.reduce((total, run) => total + run.requests, 0);
  return part(
    "The first requests hit dead connections, and are tried again.",
    switched.stale > 0 && switched.errors === 0,
    `After the switch ${figure(switched.stale)} were tried again, and callers saw ` +
      `${counted(switched.errors, "error")}. In the restarts, where there was no server for up ` +
      `to ${duration(figures.downMaxMs)}, ${figure(errors)} of ${counted(requests, "request")} ` +
      "failed: a caller that dials for himself is told at once.",
  );
}

function tailPart(figures: FailoverFigures): ClaimPart {
  const p99Ms = figures.of("switch", "naive").response.percentileMs(99);
  return {
    text: "p99 goes to about 3 s because of them.",
    verdict: p99Ms < 1000 ? "refuted" : p99Ms > 2000 ? "holds" : "inconclusive",
    measured:
      `After the switch, where a server is there at once, p99 by database/sql's rules was ` +
      `${duration(p99Ms)}: that of dials. Seconds come of a server that is not there, or of ` +
      `silence (${duration(figures.of("silence", "naive").response.maxMs)} here, the deadline).`,
  };
}

function aloudPart({ loud }: FailoverFigures): ClaimPart {
  const { detection } = loud;
  return part(
    "With validation dead connections are discarded before reuse (ends that are told).",
    detection.errors === 0 && detection.stale === 0,
    `With Forebay, which reads idle sockets, ${figure(detection.stale)} were handed out dead and ` +
      `callers saw ${counted(detection.errors, "error")}; by database/sql's rules ` +
      `${figure(loud.naive.stale)} were, and callers saw ${figure(loud.naive.errors)}, as they ` +
      "dialed while there was no server.",
  );
}

function silentPart(figures: FailoverFigures): ClaimPart {
  const silent = figures.of("silence", "detection");
  const ping = figures.of("silence", "ping");
  return part(
    "With validation no user sees a failure (connections that go silent).",
    silent.errors === 0,
    `${percent(silent.errors / silent.requests)} of the requests failed where the pool goes by ` +
      `what has arrived, ${percent(ping.errors / ping.requests)} where it pings what was idle.`,
  );
}

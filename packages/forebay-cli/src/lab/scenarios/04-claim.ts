// Scenario 4, the guide's statements one by one.

import { claimOf, part, undecided } from "../claim.ts";
import type { Claim, ClaimPart } from "../scenario.ts";
import { duration, figure } from "../words.ts";
import { GUIDE, TABLES } from "./04-arms.ts";
import type { MemoryFigures } from "./04-findings.ts";
import type { IdleTimeMeasured } from "./04-idle-time.ts";

/** The guide's 5 of 200 are a fortieth; a tenth of a smaller peak still counts as about that. */
const SHRUNK_RATIO = 0.1;

/** What the guide says about idle time, held against the run. */
export function claimOfIdleTime(
  measured: IdleTimeMeasured,
  memory: MemoryFigures | undefined,
): Claim {
  const { fifo, lifo, none, plan } = measured;
  const rest = lifo.turn.atRest;
  const follows =
    "With first in first out, which the guide does not speak of, it kept " +
    `${figure(fifo.turn.atRest)}.`;
  const parts = [
    part(
      "Without an idle time the connections of the peak stay.",
      none.turn.atRest === none.turn.atPeak,
      `The pool kept ${figure(none.turn.atRest)} of ${figure(none.turn.atPeak)}.`,
    ),
    memoryPart(memory),
    part(
      "With an idle time the pool shrinks to about 5 of 200 in quiet stretches.",
      rest <= SHRUNK_RATIO * lifo.turn.atPeak,
      `It kept ${figure(rest)} of ${figure(lifo.turn.atPeak)}. (A tenth counts as holding.) ` +
        follows,
    ),
    part(
      "The capacity for peaks is preserved.",
      lifo.turn.atNextPeak === plan.peak,
      `The next peak had ${figure(lifo.turn.atNextPeak)} connections; its requests waited up to ` +
        `${duration(lifo.turn.nextPeak.maxMs)} for them, ${duration(none.turn.nextPeak.maxMs)} ` +
        "where none had been closed.",
    ),
    part(
      "MaxIdleTimeClosed rises when the pool is too large.",
      lifo.turn.maxIdleTimeClosed > 0 && none.turn.maxIdleTimeClosed === 0,
      `${figure(lifo.turn.maxIdleTimeClosed)} with an idle time, ` +
        `${figure(none.turn.maxIdleTimeClosed)} without.`,
    ),
    part(
      "pg_stat_activity follows the demand, not the peak before.",
      rest <= SHRUNK_RATIO * lifo.turn.atPeak && lifo.turn.atNextPeak === plan.peak,
      `${figure(lifo.turn.atPeak)}, then ${figure(rest)}, then ` +
        `${figure(lifo.turn.atNextPeak)} server processes.`,
    ),
  ];
  return claimOf(
    `A pool that takes ${GUIDE.peak} connections at its peak and ${GUIDE.quiet} for most of the ` +
      `day keeps all of them with MaxIdleConns = ${GUIDE.peak} alone, at about ` +
      `${GUIDE.megabytes} MB each; with ConnMaxIdleTime = 5 minutes it shrinks to about ` +
      `${GUIDE.quiet}, and can grow again.`,
    parts,
    {
      refuted:
        `The pool kept ${figure(rest)} of ${figure(lifo.turn.atPeak)} connections with an idle ` +
        `time, ${figure(none.turn.atRest)} without.${costSentence(memory)} ${follows}`,
      holds:
        `The pool kept ${figure(rest)} of ${figure(lifo.turn.atPeak)} connections, and all came ` +
        `back.${costSentence(memory)} ${follows}`,
      inconclusive:
        `The pool kept ${figure(rest)} of ${figure(lifo.turn.atPeak)} connections; what could be ` +
        "decided came out as the guide says, but the memory of the server's processes could not " +
        `be read. ${follows}`,
    },
  );
}

function memoryPart(memory: MemoryFigures | undefined): ClaimPart {
  const text = "Each idle connection takes about 10 MB of resident memory (RSS) at the server.";
  if (memory === undefined) {
    return undecided(text, "The memory of the server's processes cannot be read here.");
  }
  const { freshOwn, freshRss, ownEach, pssEach, rssEach } = memory;
  const claimed = GUIDE.megabytes * 1e6;
  return part(
    text,
    rssEach >= claimed / 2 && freshRss <= claimed * 2,
    `${megabytes(freshRss)} when new, ${megabytes(rssEach)} after it has looked into ` +
      `${TABLES} tables. (Half to twice as much at some time counts as holding.) But RSS counts ` +
      `shared memory in every process: its share (PSS) is ${megabytes(pssEach)}, and what is its ` +
      `own and comes free ${megabytes(ownEach)} (${megabytes(freshOwn)} when new).`,
  );
}

function costSentence(memory: MemoryFigures | undefined): string {
  if (memory === undefined) return "";
  return (
    ` What a closed one gives back is ${megabytes(memory.ownEach)}, not the ` +
    `${megabytes(memory.rssEach)} that RSS shows.`
  );
}

/** Bytes as megabytes of a million. */
export function megabytes(bytes: number): string {
  return `${figure(bytes / 1e6)} MB`;
}

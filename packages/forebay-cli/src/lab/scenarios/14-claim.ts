// Scenario 14, the guide's statements one by one.

import { claimOf, part, undecided, type Whys } from "../claim.ts";
import type { Claim, ClaimPart } from "../scenario.ts";
import { counted, figure, listed, percent } from "../words.ts";
import type { HolderMeasured } from "./14-conn-vs-tx.ts";
import type { AllFigures } from "./14-findings.ts";

/** What the guide says about Conn and Tx, held against the run. */
export function claimOfHolders(measured: HolderMeasured, figures: AllFigures): Claim {
  const { again, conn, nobody, read, repeatable, simple, write } = figures;
  // Where vacuum is held up without any holder, nothing can be said about holders.
  const vacuumPart = (text: string, isTrue: boolean, said: string): ClaimPart =>
    nobody.leastRemoved >= 0.99
      ? part(text, isTrue, said)
      : undecided(
          text,
          `With no session held vacuum removed ${percent(nobody.leastRemoved)} only: somebody ` +
            "else's transaction held it up.",
        );
  const parts = [
    vacuumPart(
      "A long transaction blocks vacuum: one that has only read.",
      read.mostRemoved <= 0.05,
      `At the default isolation level vacuum removed ${percent(read.mostRemoved)} of the dead ` +
        `rows while it rested (${read.withXmin} of ${read.looks} looks found a snapshot), ` +
        `${percent(again.leastRemoved)} where it read again before each vacuum, and ` +
        `${percent(simple.leastRemoved)} by the simple protocol, resting.`,
    ),
    vacuumPart(
      "A long transaction blocks vacuum: one that has written.",
      write.mostRemoved <= 0.05,
      `Vacuum removed ${percent(write.mostRemoved)}; the table grew to ${figure(write.growth)} ` +
        `times its size. Of ${write.looks} looks ${write.withXid} found a transaction id.`,
    ),
    vacuumPart(
      "A long transaction blocks vacuum: one in repeatable read.",
      repeatable.mostRemoved <= 0.05,
      `Vacuum removed ${percent(repeatable.mostRemoved)}. Of ${repeatable.looks} looks ` +
        `${repeatable.withXmin} found a snapshot.`,
    ),
    vacuumPart(
      "With a Conn that holds an advisory lock vacuum still progresses.",
      conn.leastRemoved >= 0.99,
      `Vacuum removed ${percent(conn.leastRemoved)}; the table was ${figure(conn.growth)} times ` +
        "its size in the end.",
    ),
    part(
      "Between queries the Conn's session is idle, not idle in transaction.",
      conn.idle === conn.looks,
      `${conn.idle} of ${conn.looks} looks found it idle; the transactions were ` +
        `${listed([...new Set([...read.states, ...write.states, ...repeatable.states])])}.`,
    ),
    part(
      "Same conn, same session.",
      conn.processes === 1,
      `The queries of each Conn ran in ${counted(conn.processes, "server process", "processes")}.` +
        (measured.pooler === undefined
          ? ""
          : " Behind a pooler in transaction mode two clients of which each had a Conn had the " +
            `same lock at once in ${measured.pooler.bothHadIt.count} of ` +
            `${measured.pooler.bothHadIt.trials} trials.`),
    ),
  ];
  return claimOf(
    "Work that needs one session (an advisory lock, and queries while it is held) in a Tx is bad " +
      "if it is read-mostly: a long open transaction blocks vacuum. In a Conn it is the same " +
      "session without a transaction, and vacuum can progress.",
    parts,
    whysOf(figures),
  );
}

function whysOf({ again, conn, read, write }: AllFigures): Whys {
  return {
    refuted:
      `Beside a Conn vacuum removed ${percent(conn.leastRemoved)} of the dead rows, beside a ` +
      `transaction that had written ${percent(write.mostRemoved)}, beside one that had only ` +
      `read and rested ${percent(read.mostRemoved)}.`,
    holds:
      `Beside a Conn vacuum removed ${percent(conn.leastRemoved)} of the dead rows, beside ` +
      `transactions ${percent(write.mostRemoved)} (written) and ${percent(read.mostRemoved)} ` +
      "(only read, resting). What the guide leaves out: at the default isolation level one that " +
      "has only read holds up what is newer than its last statement, and no more " +
      `(${percent(again.leastRemoved)} removed where it read again before each vacuum).`,
    inconclusive: "What could be decided came out as the guide says.",
  };
}

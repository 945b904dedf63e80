// Scenario 12, the guide's statements one by one.

import { claimOf, part } from "../claim.ts";
import type { Claim, ClaimPart } from "../scenario.ts";
import { figure, percent } from "../words.ts";
import { GUIDE, STATEMENTS } from "./12-arms.ts";
import { ARMS, bytesEach, hitRate, type OneSession, type StatementsMeasured } from "./12-plan.ts";

/** What the guide says about statements on many connections, held against the run. */
export function claimOfStatements(measured: StatementsMeasured): Claim {
  const { oneSession, turns } = measured;
  const { few, stmt } = turns;
  const { connections } = ARMS.stmt;
  const why =
    `${STATEMENTS} statements became ${figure(stmt.held.total)} on ${connections} connections, ` +
    `${figure(few.held.total)} on ${ARMS.few.connections}.`;
  const details = [
    ...(hasLimitOf(oneSession)
      ? []
      : [
          `a session took ${figure(oneSession.prepared)}, without a limit at ` +
            figure(GUIDE.limit),
        ]),
    ...(isElsewhereOf(oneSession) ? [] : ["a name does not reach another session"]),
  ];
  return claimOf(
    "20 statements over 100 connections are up to 2,000 prepared ones at the server, where some " +
      "configurations allow 1,024 in a session and others charge memory. Lower MaxOpenConns, or " +
      "leave it to the driver's cache, or prepare by name and route by it.",
    [...fanOutParts(measured), ...wayOutParts(measured)],
    {
      refuted: `${why} Not so: ${details.length === 0 ? "see the parts" : details.join("; ")}.`,
      holds: why,
      inconclusive: why,
    },
  );
}

function fanOutParts({ oneSession, turns }: StatementsMeasured): ClaimPart[] {
  const { lifo, stmt } = turns;
  const { connections } = ARMS.stmt;
  const most = STATEMENTS * connections;
  return [
    part(
      "A Stmt is prepared again on whichever connection the next call gets.",
      stmt.parses > 2 * STATEMENTS,
      `${STATEMENTS} Stmts were prepared ${figure(stmt.parses)} times on ${connections} ` +
        `connections, for ${figure(stmt.executes)} requests.`,
    ),
    part(
      "All in all up to statements times connections are prepared at the server.",
      stmt.held.total <= most && stmt.held.total >= most / 2,
      `${figure(stmt.held.total)} of at most ${figure(most)} where each connection has its turn, ` +
        `${figure(lifo.held.total)} where the one used last is used first.`,
    ),
    part(
      "Each costs memory at the server.",
      bytesEach(turns) > 0,
      `${figure(bytesEach(turns) / 1000)} kB each, ${figure(stmt.held.planBytes / 1e6)} MB in all.`,
    ),
    part(
      `A session is limited to ${figure(GUIDE.limit)} prepared statements (in some ` +
        "configurations).",
      hasLimitOf(oneSession),
      `PostgreSQL had ${figure(oneSession.prepared)} in one session, of ` +
        `${figure(oneSession.asked)} that were asked for.`,
    ),
  ];
}

function wayOutParts({ oneSession, turns }: StatementsMeasured): ClaimPart[] {
  const { few, fifo, stmt } = turns;
  const isElsewhere = isElsewhereOf(oneSession);
  return [
    part(
      "Fewer connections reduce the fan-out.",
      few.held.total <= 0.5 * fifo.held.total,
      `${figure(few.held.total)} with ${ARMS.few.connections} connections, ` +
        `${figure(fifo.held.total)} with ${ARMS.fifo.connections}.`,
    ),
    part(
      "Without Stmt the driver's own cache of texts does it.",
      hitRate(fifo) >= hitRate(stmt) - 0.01,
      `${percent(hitRate(fifo))} of the requests found their text prepared, ` +
        `${percent(hitRate(stmt))} their Stmt. The fan-out is the same: ` +
        `${figure(fifo.held.total)} and ${figure(stmt.held.total)}.`,
    ),
    part(
      "Named statements can be routed by name.",
      isElsewhere,
      isElsewhere
        ? "EXECUTE found a statement that another session had prepared."
        : "EXECUTE of a statement that another session had prepared failed with " +
            `${oneSession.elsewhere}: a name means something in its own session only.`,
    ),
  ];
}

function hasLimitOf({ asked, prepared }: OneSession): boolean {
  return prepared < asked;
}

function isElsewhereOf({ elsewhere }: OneSession): boolean {
  return elsewhere === "no error";
}

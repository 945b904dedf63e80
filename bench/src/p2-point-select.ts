// P2: point selects on a real server, one query at a time on each connection.

import type { Bench } from "./bench.ts";
import type { ClientName } from "./clients.ts";
import { type Entrant, runSelects } from "./select-contest.ts";

const CONNECTIONS = 10;

function entrant(client: ClientName, key: string, limit?: number): Entrant {
  const target = limit === undefined ? {} : { target: { op: ">=", limit } as const };
  return { name: client, key, client, connections: CONNECTIONS, ...target };
}

function inGo(name: "pgxpool" | "database/sql"): Entrant {
  return { name, key: name, client: name, connections: CONNECTIONS, runtime: "go" };
}

/** P2. */
export const pointSelectBench: Bench = {
  id: "P2",
  title: `point selects by primary key, prepared: ${CONNECTIONS} connections, 64 callers`,
  run: (context) =>
    runSelects(context, {
      ours: entrant("forebay native", "forebay"),
      others: [
        entrant("wire floor", "floor", 0.85),
        entrant("pg", "pg", 1.5),
        entrant("postgres.js", "postgres.js", 1.5),
        inGo("pgxpool"),
        inGo("database/sql"),
        entrant("forebay Stmt", "stmt"),
      ],
      rounds: 9,
    }),
};

// P1: point selects of many callers that share a few connections.

import type { Bench } from "./bench.ts";
import { runSelects } from "./select-contest.ts";

/** Of those that share connections. */
const FEW = 4;
/** Of those that send one query at a time on each. */
const MANY = 10;

/** P1. */
export const pipelinedBench: Bench = {
  id: "P1",
  title: `point selects, prepared, pipelined: ${FEW} connections, 64 callers`,
  run: (context) =>
    runSelects(context, {
      ours: {
        name: "forebay",
        key: "forebay",
        client: "forebay pipelined",
        connections: FEW,
      },
      others: [
        {
          name: "wire floor",
          key: "floor",
          client: "pipelined floor",
          connections: FEW,
          target: { op: ">=", limit: 0.85 },
        },
        {
          name: "Bun.SQL",
          key: "bun",
          client: "Bun.SQL",
          connections: FEW,
          runtime: "bun",
          target: { op: ">=", limit: 1 },
        },
        {
          name: "pg",
          key: "pg",
          client: "pg",
          connections: MANY,
          target: { op: ">=", limit: 3.5 },
        },
        {
          name: "postgres.js",
          key: "postgres.js",
          client: "postgres.js",
          connections: MANY,
          target: { op: ">=", limit: 3.5 },
        },
        {
          name: "pgxpool",
          key: "pgxpool",
          client: "pgxpool",
          connections: MANY,
          runtime: "go",
          target: { op: ">=", limit: 2 },
        },
        {
          name: "database/sql",
          key: "database/sql",
          client: "database/sql",
          connections: MANY,
          runtime: "go",
        },
      ],
      rounds: 9,
    }),
};

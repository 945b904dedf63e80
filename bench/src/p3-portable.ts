// P3: what the portable DB costs beside the native one, over the same driver.

import type { Bench } from "./bench.ts";
import { runSelects } from "./select-contest.ts";

const CONNECTIONS = 10;

/** P3. */
export const portableBench: Bench = {
  id: "P3",
  title: `the portable DB beside the native one: ${CONNECTIONS} connections, 64 callers`,
  run: (context) =>
    runSelects(context, {
      ours: {
        name: "forebay portable",
        key: "portable",
        client: "forebay portable",
        connections: CONNECTIONS,
      },
      others: [
        {
          name: "forebay native",
          key: "native",
          client: "forebay native",
          connections: CONNECTIONS,
          target: { op: ">=", limit: 0.95 },
        },
      ],
      // The two are close to each other, so that it takes more rounds to tell them apart.
      rounds: 15,
    }),
};

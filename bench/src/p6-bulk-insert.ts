// P6: many rows by INSERT on a real server, by unnest of arrays.

import type { Bench } from "./bench.ts";
import { bulkBench } from "./bulk.ts";
import { INSERTERS, type InserterName } from "./p6-inserters.ts";

const OURS: InserterName = "insertMany";

/** P6. */
export const bulkInsertBench: Bench = bulkBench({
  id: "P6",
  title: "insert of 100 000 (int, text) rows by unnest",
  worker: new URL("./p6-worker.ts", import.meta.url).href,
  job: "insert",
  contenders: INSERTERS,
  rounds: 9,
  pairs: INSERTERS.filter((name) => name !== OURS).map((other) => ({
    ours: OURS,
    other,
    ...(other === "pg unnest by 1000" ? { target: { op: "<=", limit: 0.8 } } : {}),
  })),
});

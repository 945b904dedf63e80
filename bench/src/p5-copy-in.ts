// P5: COPY into a table on a real server, from rows as a program has them.

import type { Bench } from "./bench.ts";
import { bulkBench } from "./bulk.ts";
import { COPIERS, type CopierName } from "./p5-copiers.ts";

const PEER: CopierName = "pg-copy-streams";
const OURS: readonly CopierName[] = ["forebay rows", "forebay rows, binary", "forebay text"];

/** P5. */
export const copyInBench: Bench = bulkBench({
  id: "P5",
  title: "COPY of 100 000 (int, text) rows; ours from arrays, the peer from ready-made text",
  worker: new URL("./p5-worker.ts", import.meta.url).href,
  job: "copy",
  contenders: COPIERS,
  rounds: 15,
  pairs: OURS.map((ours) => ({
    ours,
    other: PEER,
    ...(ours === "forebay rows" ? { target: { op: "<=", limit: 1 } } : {}),
  })),
});

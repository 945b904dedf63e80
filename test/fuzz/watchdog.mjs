// Ends the process when its executions have stood still: a loop without end lets nothing else do it.
// Plain JavaScript, because a thread begins without the loader of TypeScript.

import { workerData } from "node:worker_threads";

const STALL_MS = 20_000;
/** @type {{ progress: Int32Array, seed: number }} */
const { progress, seed } = workerData;
let last = -1;

setInterval(() => {
  const now = Atomics.load(progress, 0);
  if (now === last) {
    process.stderr.write(`\nhangs: npm run fuzz -- --seed ${seed} --execution ${now}\n`);
    process.kill(process.pid, "SIGKILL");
  }
  last = now;
}, STALL_MS);

// `npm run fuzz -- --executions 1000000 [--seed 1]` runs many executions; `npm run fuzz -- --seed 1
// --execution 42` repeats one. Inputs that fail go to kept.txt.

import { appendFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { inputAt, run } from "./fuzz.ts";
import { KEPT_FILE, lineOf } from "./input.ts";
import { describe } from "./judge.ts";

const { values } = parseArgs({
  options: {
    executions: { type: "string" },
    seed: { type: "string" },
    execution: { type: "string" },
  },
});
const seed = Number(values.seed ?? 1);
const FAILURES_MAX = 20;
let stray: unknown;
process.on("unhandledRejection", (error) => (stray ??= error));

async function once(execution: number): Promise<string | undefined> {
  const complaint = await run(inputAt(seed, execution));
  if (complaint !== undefined || stray === undefined) return complaint;
  const what = describe(stray);
  stray = undefined;
  return `a rejection that nobody handles: ${what}`;
}

async function many(count: number): Promise<void> {
  const progress = new Int32Array(new SharedArrayBuffer(4));
  const watchdog = new Worker(new URL("watchdog.mjs", import.meta.url), {
    workerData: { progress, seed },
    execArgv: [],
  });
  watchdog.unref();
  const startedAtMs = performance.now();
  let failures = 0;
  let done = 0;
  for (; done < count && failures < FAILURES_MAX; done++) {
    Atomics.store(progress, 0, done);
    const complaint = await once(done);
    if (complaint !== undefined) {
      failures += 1;
      const again = `npm run fuzz -- --seed ${seed} --execution ${done}`;
      console.error(`execution ${done}: ${complaint}\n  again: ${again}`);
      appendFileSync(KEPT_FILE, `${lineOf(inputAt(seed, done))}\n`);
    }
    if (process.stderr.isTTY && done % 10_000 === 0) process.stderr.write(`\r${done} of ${count}`);
  }
  await watchdog.terminate();
  const seconds = (performance.now() - startedAtMs) / 1000;
  const rate = Math.round(done / seconds);
  console.log(`${done} executions of seed ${seed}: ${failures} failures, ${rate} executions/s`);
  process.exitCode = failures > 0 ? 1 : 0;
}

if (values.execution === undefined) await many(Number(values.executions ?? 100_000));
else {
  const execution = Number(values.execution);
  console.log(lineOf(inputAt(seed, execution)));
  const complaint = await once(execution);
  console.log(complaint ?? "nothing is wrong");
  process.exitCode = complaint === undefined ? 0 : 1;
}

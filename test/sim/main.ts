// `npm run sim -- --seeds 1000 [--from 1]` lives many lives; `npm run sim -- --seed 42` replays
// one, with its trace.

import { appendFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { simulate } from "./simulate.ts";

const { values } = parseArgs({
  options: { seeds: { type: "string" }, from: { type: "string" }, seed: { type: "string" } },
});

const seedsFile = new URL("seeds.txt", import.meta.url);

if (values.seed !== undefined) {
  const { trace, violation } = await simulate(Number(values.seed));
  process.stdout.write(`${trace.join("\n")}\n`);
  if (violation !== undefined) {
    console.error(violation);
    process.exitCode = 1;
  }
} else {
  const count = Number(values.seeds ?? 1000);
  const from = Number(values.from ?? 1);
  const startedAtMs = performance.now();
  let violations = 0;
  for (let seed = from; seed < from + count; seed++) {
    const { violation } = await simulate(seed);
    if (violation !== undefined) {
      violations += 1;
      console.error(`seed ${seed}: ${String(violation)}\n  replay: npm run sim -- --seed ${seed}`);
      appendFileSync(seedsFile, `${seed}\n`);
      if (violations >= 10) break;
    }
    if (process.stderr.isTTY && seed % 100 === 0) {
      process.stderr.write(`\r${seed - from} of ${count} seeds`);
    }
  }
  const seconds = (performance.now() - startedAtMs) / 1000;
  console.log(
    `${count} seeds from ${from}: ${violations} violations, ${Math.round(count / seconds)} seeds/s`,
  );
  process.exitCode = violations > 0 ? 1 : 0;
}

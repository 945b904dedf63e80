// One contender of P4, in a process of its own. The loop is the same for all.

import { collectGarbage, type Figures, serve } from "./contest.ts";
import { type ContenderName, makeContender } from "./pools.ts";

const CALLERS = 64;
const pool = makeContender(process.argv[2] as ContenderName, { connections: 10, dialMs: 0 });

async function call(times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    const taken = await pool.acquire();
    pool.release(taken);
  }
}

async function timed(times: number, run: () => Promise<unknown>): Promise<Figures> {
  collectGarbage();
  const startedAtMs = performance.now();
  await run();
  return { ns: ((performance.now() - startedAtMs) * 1e6) / times };
}

serve({
  uncontended: (times) => timed(times, () => call(times)),
  contended: (times) => {
    const each = Math.ceil(times / CALLERS);
    return timed(each * CALLERS, () =>
      Promise.all(Array.from({ length: CALLERS }, () => call(each))),
    );
  },
});

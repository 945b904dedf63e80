// The method on a real server and a machine that may be busy: what a comparison must and must not
// say, whatever else goes on here. Rates are for test/unit/lab/method.test.ts, where they can be
// had exactly.

import { afterAll, beforeAll, expect, test } from "vitest";
import { medianRatio, takeTurns } from "../../packages/forebay-cli/src/lab/compare.ts";
import { labClock } from "../../packages/forebay-cli/src/lab/clock.ts";
import { labServerSettings } from "../../packages/forebay-cli/src/lab/index.ts";
import { runClosedLoad } from "../../packages/forebay-cli/src/lab/load.ts";
import { LabPools } from "../../packages/forebay-cli/src/lab/pools.ts";
import { seededLabRandom } from "../../packages/forebay-cli/src/lab/random.ts";
import { judge } from "../../packages/forebay-cli/src/lab/verdict.ts";
import { type EmbeddedServer, startEmbedded } from "../../packages/forebay-cli/src/server/index.ts";

let server: EmbeddedServer;
let pools: LabPools;

beforeAll(async () => {
  server = await startEmbedded({ settings: labServerSettings });
  pools = new LabPools(server.url, seededLabRandom(1));
});

afterAll(async () => {
  await pools.closeAll();
  await server.stop();
});

/** Work for the server's processor, without a wait of any kind. */
const COUNTING = "SELECT count(*) FROM generate_series(1, $1::int)";
const ROWS = 10_000;
const ROUNDS = 12;
const REQUESTS = 12;

/** The second statement's median time over the first one's, by the method of the lab. */
async function compare(before: number, after: number) {
  const { signal } = new AbortController();
  const arm = (rows: number) => {
    const pool = pools.openForebay({ maxOpenConns: 1, maxIdleConns: 1 });
    return async (): Promise<number> => {
      const { response } = await runClosedLoad({
        clock: labClock,
        signal,
        callers: 1,
        requests: REQUESTS,
        durationMs: Infinity,
        operate: async () => {
          await pool.use((conn) => conn.query(COUNTING, [rows], { signal }), signal);
        },
      });
      return response.percentileMs(50);
    };
  };
  const arms = [arm(before), arm(after)];
  await Promise.all(arms.map((turn) => turn()));
  const [first = [], second = []] = await takeTurns({ rounds: ROUNDS, signal, arms });
  await pools.closeArms();
  return medianRatio(first, second, seededLabRandom(2));
}

test("two identical arms are never said to differ by half or more", async () => {
  const estimate = await compare(ROWS, ROWS);
  const { verdict } = judge({ name: "A/A", estimate, threshold: { from: 1 / 1.5, to: 1.5 } });
  expect({ verdict, estimate }).not.toMatchObject({ verdict: "fail" });
});

test("many times the work is never said to be the same, and is seen as more", async () => {
  const estimate = await compare(ROWS, 8 * ROWS);
  const { verdict } = judge({ name: "8 to 1", estimate, threshold: { from: 1 / 1.5, to: 1.5 } });
  expect({ verdict, estimate }).not.toMatchObject({ verdict: "pass" });
  expect(estimate.value).toBeGreaterThan(1.5);
});

test("twice the work is seen as more", async () => {
  const estimate = await compare(ROWS, 2 * ROWS);
  expect(estimate.value).toBeGreaterThan(1.2);
});

// The tests by which mutants are judged: `npm run mutate`. Fewer lives and shorter ones than in the
// whole check, since each mutant is judged by them.

import { defineConfig } from "vitest/config";
import { BaseSequencer } from "vitest/node";

/**
 * The exploration comes first: it catches most mutants, and soon. The report says who killed each,
 * so it tells what the exploration finds alone.
 */
class ExploreFirst extends BaseSequencer {
  async sort(files) {
    const sorted = await super.sort(files);
    const isFirst = ({ moduleId }) => moduleId.includes("test/explore/");
    return [...sorted.filter(isFirst), ...sorted.filter((file) => !isFirst(file))];
  }
}

export default defineConfig({
  resolve: { conditions: ["source"] },
  ssr: { resolve: { conditions: ["source"] } },
  test: {
    include: [
      "test/unit/pool/**/*.test.ts",
      "test/unit/queue.test.ts",
      "test/model/**/*.test.ts",
      "test/explore/**/*.test.ts",
      "test/mutate/lives.test.ts",
    ],
    environment: "node",
    restoreMocks: true,
    isolate: false,
    sequence: { sequencer: ExploreFirst },
    // Less than timeoutMS of Stryker: what hangs a test is killed by that test.
    testTimeout: 10_000,
    env: { MODEL_RUNS: "200", EXPLORE_DEPTH: "4" },
  },
});

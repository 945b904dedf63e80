// The tests by which mutants are judged: `npm run mutate`.

import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: { conditions: ["source"] },
  ssr: { resolve: { conditions: ["source"] } },
  test: {
    include: [
      "test/unit/pool/**/*.test.ts",
      "test/model/**/*.test.ts",
      "test/mutate/lives.test.ts",
    ],
    environment: "node",
    restoreMocks: true,
    isolate: false,
    env: { MODEL_RUNS: "300" },
  },
});

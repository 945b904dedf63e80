import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

const LIMITS = { testTimeout: 60_000, hookTimeout: 60_000 };

/**
 * Options that every group of tests shares; the groups differ in what they need and how long they
 * may take. A limit of time is there to end what hangs, however busy the machine is.
 */
function group(name: string, include: string[], extra: object = {}) {
  return {
    resolve: { conditions: ["source"] },
    ssr: { resolve: { conditions: ["source"] } },
    test: { name, include, environment: "node", restoreMocks: true, ...LIMITS, ...extra },
  };
}

/** One file after the other. What runs in as many workers as there are processors comes first. */
const oneByOne = { fileParallelism: false, sequence: { groupOrder: 1 } };

const withServer = {
  ...oneByOne,
  hookTimeout: 120_000,
  globalSetup: ["test/support/global-postgres.ts"],
};

/** Files that keep nothing between them: a process for each would take longer than they do. */
const manyShort = { isolate: false };

export default defineConfig({
  test: {
    // By default one processor is left alone, which of two is half.
    maxWorkers: availableParallelism(),
    reporters: ["default", "./scripts/count-reporter.ts"],
    dangerouslyIgnoreUnhandledErrors: false,
    projects: [
      group("tidy", ["test/tidy/**/*.test.ts"], { ...oneByOne, isolate: false }),
      group("unit", ["test/unit/**/*.test.ts"], manyShort),
      group("model", ["test/model/**/*.test.ts"]),
      group("explore", ["test/explore/**/*.test.ts"]),
      group("conformance", ["test/conformance/**/*.test.ts"]),
      group("sim", ["test/sim/**/*.test.ts"], manyShort),
      group("museum", ["test/museum/**/*.test.ts"], { testTimeout: 120_000, maxConcurrency: 2 }),
      group("package", ["test/package/**/*.test.ts"]),
      group("guides", ["test/guides/**/*.test.ts"], withServer),
      group("postgres", ["test/postgres/**/*.test.ts"], withServer),
      group("cli", ["test/cli/**/*.test.ts"], withServer),
    ],
  },
});

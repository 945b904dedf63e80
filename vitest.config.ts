import { defineConfig } from "vitest/config";

/**
 * Options that every group of tests shares; the groups differ in what they need and how long they
 * may take.
 */
function group(name: string, include: string[], extra: object = {}) {
  return {
    resolve: { conditions: ["source"] },
    ssr: { resolve: { conditions: ["source"] } },
    test: { name, include, environment: "node", restoreMocks: true, ...extra },
  };
}

const withServer = {
  testTimeout: 60_000,
  hookTimeout: 120_000,
  fileParallelism: false,
  globalSetup: ["test/support/global-postgres.ts"],
};

export default defineConfig({
  test: {
    reporters: ["default", "./scripts/count-reporter.ts"],
    dangerouslyIgnoreUnhandledErrors: false,
    projects: [
      group("tidy", ["test/tidy/**/*.test.ts"], { isolate: false, fileParallelism: false }),
      group("unit", ["test/unit/**/*.test.ts"]),
      group("model", ["test/model/**/*.test.ts"], { testTimeout: 60_000 }),
      group("explore", ["test/explore/**/*.test.ts"], { testTimeout: 60_000 }),
      group("conformance", ["test/conformance/**/*.test.ts"]),
      // Its files are many and short, and keep nothing between them: a process for each costs more.
      group("sim", ["test/sim/**/*.test.ts"], { testTimeout: 60_000, isolate: false }),
      group("museum", ["test/museum/**/*.test.ts"], { testTimeout: 90_000, maxConcurrency: 2 }),
      group("package", ["test/package/**/*.test.ts"], { testTimeout: 60_000, hookTimeout: 60_000 }),
      group("guides", ["test/guides/**/*.test.ts"], withServer),
      group("postgres", ["test/postgres/**/*.test.ts"], withServer),
      group("cli", ["test/cli/**/*.test.ts"], withServer),
    ],
  },
});

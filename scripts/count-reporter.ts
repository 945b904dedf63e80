// A vitest reporter that closes the run with one plain line: `N passed, N failed[, N skipped]`.

import type { Reporter, TestModule } from "vitest/node";

/**
 * Counts the tests of the run, prints the counts as the last line. A file that does not load counts
 * as one failure.
 */
export default class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    const count = { passed: 0, failed: errors.length, skipped: 0, pending: 0 };
    for (const module of modules) {
      if (module.errors().length > 0) count.failed += 1;
      for (const test of module.children.allTests()) count[test.result().state] += 1;
    }
    const skipped = count.skipped + count.pending;
    // After the other reporters have printed their summaries.
    setImmediate(() => {
      const more = skipped > 0 ? `, ${skipped} skipped` : "";
      process.stdout.write(`\n${count.passed} passed, ${count.failed} failed${more}\n`);
    });
  }
}

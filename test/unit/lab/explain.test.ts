import { describe, expect, test } from "vitest";
import {
  explanationOf,
  EXPLANATIONS,
} from "../../../packages/forebay-cli/src/lab/explain/index.ts";
import { listScenarios } from "../../../packages/forebay-cli/src/lab/index.ts";
import { renderExplanation } from "../../../packages/forebay-cli/src/report/explain.ts";
import { resolveOptions } from "../../../packages/forebay/src/pool/option-checks.ts";

test("all sixteen scenarios of the guide and ten more are explained, by number", () => {
  expect(EXPLANATIONS.map(({ id }) => id)).toEqual(Array.from({ length: 26 }, (_, at) => at + 1));
  for (const { id, guide } of EXPLANATIONS) expect(guide === undefined).toBe(id > 16);
  expect(explanationOf(27)).toBeUndefined();
});

test("every scenario that can be run is explained", () => {
  for (const { id } of listScenarios()) expect(explanationOf(id)?.id).toBe(id);
});

test("options in the code to copy are options that there are", () => {
  const { limits, settings } = resolveOptions({}, "");
  const ofOthers = ["statementTimeoutMs", "timeoutMs", "targetMs", "intervalMs", "drainTimeoutMs"];
  const known = new Set([...Object.keys(limits), ...Object.keys(settings), ...ofOthers]);
  // Of a bulkhead, of a connection, and statistics.
  for (const name of ["maxInUse", "maxWaiting", "maxOpenConnections"]) known.add(name);
  for (const name of ["maxStmtsPerConn", "waitDurationMs", "quantileMs"]) known.add(name);
  for (const { id, settings: code } of EXPLANATIONS) {
    const names = code.match(/\b(?:max[A-Z]\w*|min[A-Z]\w*|\w+Ms|\w+Ratio|\w+Order)\b/g) ?? [];
    const strange = names.filter((name) => !known.has(name) && name !== "maxSurge");
    expect([id, strange.filter((name) => name !== "maxUnavailable")]).toEqual([id, []]);
  }
});

describe.each(EXPLANATIONS.map((explanation) => [explanation.id, explanation] as const))(
  "the explanation of scenario %i",
  (_, explanation) => {
    test("says why, with a formula, names elsewhere, and when not", () => {
      const { why, formula, names, caveats } = explanation;
      for (const list of [why, formula, caveats]) expect(list.length).toBeGreaterThan(0);
      for (const name of Object.values(names)) expect(name).not.toBe("");
      for (const text of [...why, ...caveats]) expect(text).toMatch(/[.]$/);
    });

    test.each([48, 80, 200])(
      "keeps within a terminal of %i columns, but for its code",
      (columns) => {
        const text = renderExplanation(explanation, columns, true);
        const code = new Set(explanation.settings.split("\n").map((line) => `  ${line}`));
        const rows = text.split("\n").filter((row) => !code.has(row));
        expect(Math.max(...rows.map((row) => row.length))).toBeLessThanOrEqual(
          Math.min(columns, 92),
        );
        for (const line of code) expect(line.length).toBeLessThanOrEqual(80);
        expect(text).toContain(explanation.settings.split("\n")[0]);
        expect(text.endsWith(`forebay lab run ${explanation.id}\n`)).toBe(true);
      },
    );
  },
);

test("a scenario that is not here to be run is explained without the command for it", () => {
  const explanation = explanationOf(26);
  if (explanation === undefined) throw new Error("there is no explanation 26");
  expect(renderExplanation(explanation, 80, false)).not.toContain("forebay lab run");
});

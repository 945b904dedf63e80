import { expect, test } from "vitest";
import { found } from "./examples.ts";
import { invariants } from "./invariants.ts";

const AUDIT = "packages/forebay/src/pool/audit.ts";
const good = {
  "ARCHITECTURE.md":
    "## Invariants\n\n- I1. Something holds, see I2.\n| **I2** | Something else |\n- O1. It too",
  [AUDIT]: 'hold("I1"); hold("I2");',
  "test/sim/judge.ts": 'hold("O1");',
  "test/model/a.test.ts": "// I1 and I2",
};

test("invariants that are listed, checked and tested are well", () => {
  expect(found(invariants, good)).toEqual([]);
});

test("one that is listed and not checked, or not tested, is found", () => {
  expect(found(invariants, { ...good, [AUDIT]: 'hold("I1"); hold("I22");' })).toEqual([
    "ARCHITECTURE.md:4 I2 is not in audit.ts",
    `${AUDIT}:1 I22 is not in ARCHITECTURE.md`,
  ]);
  expect(found(invariants, { ...good, "test/model/a.test.ts": "// I1" })).toEqual([
    "ARCHITECTURE.md:4 I2 is in no test",
  ]);
});

test("one that is checked and not listed is found, and so is an empty list", () => {
  expect(found(invariants, { ...good, "ARCHITECTURE.md": "See I1 and I2." })).toEqual([
    "ARCHITECTURE.md:1 no invariant I1 is listed",
    `${AUDIT}:1 I1 is not in ARCHITECTURE.md`,
    `${AUDIT}:1 I2 is not in ARCHITECTURE.md`,
    "ARCHITECTURE.md:1 no invariant O1 is listed",
    "test/sim/judge.ts:1 O1 is not in ARCHITECTURE.md",
  ]);
});

test("those that are seen from outside are checked by the simulation", () => {
  expect(found(invariants, { ...good, "test/sim/judge.ts": 'hold("O11");' })).toEqual([
    "ARCHITECTURE.md:5 O1 is not in test/sim",
    "ARCHITECTURE.md:5 O1 is in no test",
    "test/sim/judge.ts:1 O11 is not in ARCHITECTURE.md",
  ]);
});

// The simulated lives by which mutants are judged: always the same, since a mutant must not survive
// or die by chance.

import { expect, test } from "vitest";
import { simulate } from "../sim/simulate.ts";

const LIVES = 60;

test.each([1, 2, 3, 4])(
  "the pool keeps its invariants in simulated lives, part %i",
  async (part) => {
    for (let seed = part; seed <= LIVES; seed += 4) {
      const { violation } = await simulate(seed);
      expect(violation, `seed ${seed}`).toBeUndefined();
    }
  },
);

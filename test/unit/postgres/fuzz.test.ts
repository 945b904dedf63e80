// What the fuzzer has found once, and a short run of it: whatever a server sends, each call ends,
// with a value or an error of the client's own, and memory stays in proportion.

import { describe, expect, test } from "vitest";
import { ProtocolError } from "../../../packages/forebay/src/postgres/index.ts";
import { inputAt, run } from "../../fuzz/fuzz.ts";
import { inputOf, keptInputs, lineOf } from "../../fuzz/input.ts";
import { Allocations, complaintAbout, weigh } from "../../fuzz/judge.ts";

const SEED = 20_261_121;
const EXECUTIONS = 5000;

describe("the fuzzer", () => {
  test.each(keptInputs().map((input) => [lineOf(input).slice(0, 60), input] as const))(
    "finds nothing any more in %s…",
    async (_line, input) => {
      expect(await run(input)).toBeUndefined();
    },
  );

  test("finds nothing in a short run", async () => {
    const complaints: string[] = [];
    for (let execution = 0; execution < EXECUTIONS; execution++) {
      const complaint = await run(inputAt(SEED, execution));
      const again = `npm run fuzz -- --seed ${SEED} --execution ${execution}`;
      if (complaint !== undefined) complaints.push(`${again}: ${complaint}`);
    }
    expect(complaints).toEqual([]);
  }, 60_000);

  test("repeats itself", () => {
    const lines = Array.from({ length: 200 }, (_, at) => lineOf(inputAt(SEED, at)));
    expect(Array.from({ length: 200 }, (_, at) => lineOf(inputAt(SEED, at)))).toEqual(lines);
    expect(new Set(lines).size).toBeGreaterThan(150);
    expect(lines.map((line) => lineOf(inputOf(line)))).toEqual(lines);
  });

  test("complains of errors that are none of the client's, also where they are causes", () => {
    const strange = new RangeError("out of bounds");
    expect(complaintAbout(strange)).toContain("out of bounds");
    const outer = Object.assign(new ProtocolError("x"), { cause: strange });
    expect(complaintAbout(outer)).toContain("out of bounds");
    expect(complaintAbout(new ProtocolError("x"))).toBeUndefined();
  });

  test("sees how much memory is asked for", () => {
    const allocations = new Allocations();
    Buffer.allocUnsafe(12_345);
    allocations.end();
    Buffer.alloc(23_456);
    expect(allocations.largestBytes).toBe(12_345);
    expect(weigh({ a: "abc", b: [Buffer.alloc(5), 1] })).toBe(11);
  });
});

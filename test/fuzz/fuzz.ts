// Executions of the fuzzer, each from a seed of its own, so that any can be repeated by itself.

import { seededRandom } from "../../packages/forebay/src/base/random.ts";
import { codecInput, runCodec } from "./codecs.ts";
import type { Input } from "./input.ts";
import { Allocations } from "./judge.ts";
import { pickTarget, runLive, runOpening, runReader, streamInput } from "./streams.ts";

/** More than the client needs for any input, and less than a false length asks for, in bytes. */
const ALLOCATION_BYTES_MAX = 1 << 20;

/** The input of an execution. */
export function inputAt(seed: number, execution: number): Input {
  const random = seededRandom(Math.imul(seed, 0x9e37_79b1) + execution);
  const target = pickTarget(random);
  return target === "codec" ? codecInput(random) : streamInput(random, target);
}

/** Runs an input; gives what is wrong with what came of it, `undefined` for nothing. */
export async function run(input: Input): Promise<string | undefined> {
  const allocations = new Allocations();
  try {
    const complaint = await runTarget(input);
    if (complaint !== undefined) return complaint;
    const { largestBytes } = allocations;
    return largestBytes > ALLOCATION_BYTES_MAX
      ? `a buffer of ${largestBytes} bytes was asked for`
      : undefined;
  } finally {
    allocations.end();
  }
}

function runTarget(input: Input): string | undefined | Promise<string | undefined> {
  switch (input.target) {
    case "codec":
      return runCodec(input);
    case "reader":
      return runReader(input);
    case "opening":
      return runOpening(input);
    case "live":
      return runLive(input);
    default:
      return input.target satisfies never;
  }
}

// An input of the fuzzer, and how one that was found to fail is kept: a line of kept.txt each,
// which the tests replay for ever.

import { readFileSync } from "node:fs";

/** What is fed with bytes. */
export type Target = "codec" | "reader" | "opening" | "live";

/** What it is fed with. */
export interface Input {
  readonly target: Target;
  /** A type and its format, or a record of test/golden. */
  readonly name: string;
  readonly chunks: readonly Buffer[];
}

const KEPT = new URL("kept.txt", import.meta.url);

/** The input as a line. */
export function lineOf({ target, name, chunks }: Input): string {
  return [target, name, ...chunks.map((chunk) => chunk.toString("base64"))].join("\t");
}

/** The input of a line. */
export function inputOf(line: string): Input {
  const [target, name = "", ...chunks] = line.split("\t");
  const known = (["codec", "reader", "opening", "live"] as const).find((one) => one === target);
  if (known === undefined) throw new Error(`there is no target ${target}`);
  return { target: known, name, chunks: chunks.map((chunk) => Buffer.from(chunk, "base64")) };
}

/** Those that once failed. */
export function keptInputs(): Input[] {
  const lines = readFileSync(KEPT, "utf8").split("\n");
  return lines.filter((line) => line !== "" && !line.startsWith("#")).map(inputOf);
}

/** Where they are kept. */
export const KEPT_FILE: URL = KEPT;

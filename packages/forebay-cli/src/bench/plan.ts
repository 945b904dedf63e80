// What a bench is to do: from the command line to a plan. What is wrong is found before anything is
// started.

import { CliError } from "../errors.ts";
import { numberOf, numberOr } from "../size/options.ts";
import type { ClientName } from "./figures.ts";

/** The options as the command line has them. */
export interface BenchTexts {
  readonly query?: string;
  readonly concurrency?: string;
  readonly rate?: string;
  readonly duration?: string;
  readonly maxOpen?: string;
  readonly compare?: string;
}

/** A rate: so many a second, or a share of the most that the closed loads reached. */
export type BenchRate =
  | { readonly kind: "absolute"; readonly ratePerS: number }
  | { readonly kind: "relative"; readonly ratio: number };

/** The plan. */
export interface BenchPlan {
  readonly query: string;
  readonly isDefaultQuery: boolean;
  readonly maxOpenConns: number;
  /** Callers of each closed arm. */
  readonly callers: readonly number[];
  readonly rates: readonly BenchRate[];
  /** Of each arm. */
  readonly durationMs: number;
  readonly peers: readonly Exclude<ClientName, "forebay">[];
}

/** What is measured when the user names no query: the way there and back. */
export const QUERY_DEFAULT = "SELECT 1";

const MAX_OPEN_DEFAULT = 10;
const SECONDS_DEFAULT = 2;
const RATES_DEFAULT: readonly BenchRate[] = [0.5, 0.8, 0.95].map((ratio) => ({
  kind: "relative",
  ratio,
}));
const PEERS: BenchPlan["peers"] = ["pg", "postgres"];

/** Reads the plan. Throws a `CliError`. */
export function benchPlanOf(texts: BenchTexts): BenchPlan {
  const count = { atLeast: 1, atMost: 10_000, kind: "whole" } as const;
  const maxOpenConns = numberOr("--max-open", texts.maxOpen, count, MAX_OPEN_DEFAULT);
  const callers =
    texts.concurrency === undefined
      ? [1, maxOpenConns, 4 * maxOpenConns]
      : itemsOf(texts.concurrency).map((text) => numberOf("--concurrency", text, count));
  const query = texts.query?.trim() ?? QUERY_DEFAULT;
  if (query === "") {
    throw new CliError("USAGE", "--query is empty", `Give it a statement, as '${QUERY_DEFAULT}'.`);
  }
  const durationRange = { atLeast: 0.1, atMost: 3600 };
  const seconds = numberOr("--duration", texts.duration, durationRange, SECONDS_DEFAULT);
  return {
    query,
    isDefaultQuery: query === QUERY_DEFAULT,
    maxOpenConns,
    callers: [...new Set(callers)].sort((a, b) => a - b),
    rates: ratesOf(texts.rate),
    durationMs: seconds * 1000,
    peers: peersOf(texts.compare),
  };
}

function itemsOf(text: string): string[] {
  return text.split(",").map((item) => item.trim());
}

function ratesOf(text: string | undefined): readonly BenchRate[] {
  if (text === undefined) return RATES_DEFAULT;
  if (text === "none") return [];
  return itemsOf(text).map((item) =>
    item.endsWith("%")
      ? {
          kind: "relative",
          ratio: numberOf("--rate", item.slice(0, -1), { above: 0, atMost: 1000 }) / 100,
        }
      : { kind: "absolute", ratePerS: numberOf("--rate", item, { above: 0, atMost: 1e6 }) },
  );
}

function peersOf(text: string | undefined): BenchPlan["peers"] {
  if (text === undefined) return [];
  const names = itemsOf(text);
  const unknown = names.find((name) => !PEERS.some((peer) => peer === name));
  if (unknown !== undefined) {
    const what = `--compare does not know the client ${JSON.stringify(unknown)}`;
    throw new CliError("USAGE", what, `It knows ${PEERS.join(" and ")}.`);
  }
  return PEERS.filter((peer) => names.includes(peer));
}

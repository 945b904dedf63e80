// Arrays that do not begin at 1. PostgreSQL's may begin anywhere, a JavaScript one cannot: the
// bounds are kept beside the elements, where nobody sees them who does not ask.

import { UsageError } from "../../../base/errors.ts";

const LOWER_BOUNDS = Symbol.for("forebay.postgres.lowerBounds");
const NONE: readonly number[] = [];

/**
 * The index at which each dimension of an array of PostgreSQL begins. Empty for one that begins at
 * 1 everywhere, as nearly all do, and for any other array.
 */
export function lowerBoundsOf(array: readonly unknown[]): readonly number[] {
  return (array as { readonly [LOWER_BOUNDS]?: readonly number[] })[LOWER_BOUNDS] ?? NONE;
}

/**
 * Gives an array the indexes at which its dimensions begin when it is sent to PostgreSQL, and
 * returns it. An array that was read has those that it was stored with; a copy of it has none.
 *
 * Throws `UsageError` of code `ARGUMENT_INVALID` unless all are whole numbers of 32 bits.
 */
export function withLowerBounds<T extends readonly unknown[]>(
  array: T,
  bounds: readonly number[],
): T {
  if (!bounds.every((bound) => Number.isInteger(bound) && Math.abs(bound) < 2 ** 31)) {
    throw new UsageError("ARGUMENT_INVALID", "the bounds of an array are whole numbers of 32 bits");
  }
  return keepLowerBounds(array, [...bounds]);
}

/** As `withLowerBounds`, for bounds that are known to be good. */
export function keepLowerBounds<T extends readonly unknown[]>(array: T, bounds: number[]): T {
  const value = bounds.every((bound) => bound === 1) ? NONE : bounds;
  Object.defineProperty(array, LOWER_BOUNDS, { value, configurable: true });
  return array;
}

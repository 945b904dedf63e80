// The text of what a larger value holds: an element of an array, a bound of a range, an attribute
// of a composite.

import type { Codec } from "./codec.ts";
import { isJsonParam } from "./json.ts";
import { looseElementText } from "./loose.ts";

/**
 * The text format of a member that is not null, before the larger value quotes it. `of` is the
 * larger value's type, for messages.
 */
export function memberText(codec: Codec, value: unknown, of: string): string {
  if (codec.literal !== undefined) return codec.literal(value);
  if (typeof value === "string" || codec.takes(value)) return looseElementText(value, of);
  return isJsonParam(value) ? value.text : codec.toText(value);
}

// Names of tables, columns and channels as SQL wants them: quoted, so that they are taken as they
// are, and not folded to lower case.

import { UsageError } from "../base/errors.ts";

/** A name, quoted. Throws `ARGUMENT_INVALID` for what cannot be one. */
export function quoted(name: string): string {
  if (typeof name !== "string" || name === "" || name.includes("\0")) {
    throw new UsageError("ARGUMENT_INVALID", "a name must be text, not empty, and without NUL");
  }
  return `"${name.replaceAll('"', '""')}"`;
}

/** Names, quoted, with commas between. */
export function nameList(names: readonly string[]): string {
  return names.map(quoted).join(", ");
}

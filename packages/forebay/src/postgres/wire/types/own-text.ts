// Values that know their own text: what they are shows in any place, also where the type of a
// parameter is not known.

const OWN_TEXT = Symbol.for("forebay.postgres.text");

/** A value of PostgreSQL that has no counterpart in JavaScript. */
export abstract class OwnText {
  /** The value as PostgreSQL writes it. */
  abstract toString(): string;
}

Object.defineProperty(OwnText.prototype, OWN_TEXT, { value: true });

/** True for a value that knows its own text, also from another copy of this library. */
export function hasOwnText(value: unknown): value is OwnText {
  return typeof value === "object" && value !== null && OWN_TEXT in value;
}

// What a type was declared with: `varchar(20)`, `numeric(12,2)`.

const BPCHAR = 1042;
const VARCHAR = 1043;
const NUMERIC = 1700;

/** The length of what PostgreSQL puts before every value of variable length; part of modifiers. */
const HEADER = 4;

/** The parts of a `Column` that a modifier tells. */
export interface Modifiers {
  readonly length?: number;
  readonly precision?: number;
  readonly scale?: number;
}

const NONE: Modifiers = Object.freeze({});

/** Reads a type's modifier. Empty where it says nothing. */
export function modifiersOf(typeOid: number, modifier: number): Modifiers {
  if (modifier < HEADER) return NONE;
  const rest = modifier - HEADER;
  switch (typeOid) {
    case BPCHAR:
    case VARCHAR:
      return { length: rest };
    case NUMERIC:
      // The scale has 11 bits, and may be negative.
      return { precision: (rest >>> 16) & 0xffff, scale: ((rest & 0x7ff) << 21) >> 21 };
    default:
      return NONE;
  }
}

// The types as one connector knows them: the built-in ones, under the user's policy and with the
// user's codecs, and those that were loaded from the database.

import { ForebayError } from "../../../base/errors.ts";
import { type CatalogueRow, entriesOf } from "./catalog.ts";
import type { Codec, Decode, TypePolicy } from "./codec.ts";
import { accepts, customCodec, type PgCodec } from "./custom.ts";
import { builtInTable, makeTable, type TypeEntry, typeNumber } from "./table.ts";
import { copyBytes, decodeText } from "./raw.ts";
import { hasOwnText } from "./own-text.ts";

/** Types beyond the built-in ones, and other ways to read and write any of them. */
export interface TypesOptions {
  /**
   * Codecs by the name of their type, or by its number. One of a built-in type holds also within
   * arrays and ranges of it. A name that is not built in is looked up when the first connection is
   * made, as those of `load` are.
   */
  readonly codecs?: Readonly<Record<string, PgCodec>> | undefined;
  /**
   * Names of types to look up when the first connection is made, as SQL writes them, with a schema
   * where the search path does not find them: enums, composites (tables are composites, too),
   * domains, ranges, types of extensions. With each come its arrays, and what it consists of. A
   * connection cannot be made while the database has no type of such a name: `TYPE_UNKNOWN`.
   */
  readonly load?: readonly string[] | undefined;
}

/** Numbers from here on are given to types that are made after the database itself. */
const FIRST_USER_OID = 16_384;

/** The types of one connector. Shared by its connections, as they all go to one database. */
export class TypeRegistry implements TypePolicy {
  readonly int8: TypePolicy["int8"];
  readonly #codecs: ReadonlyMap<number, PgCodec>;
  readonly #names: readonly string[];
  readonly #codecsByName: ReadonlyMap<string, PgCodec>;
  readonly #builtIn: ReadonlyMap<number, TypeEntry>;
  #entries: ReadonlyMap<number, TypeEntry>;
  #customs: readonly (readonly [string, PgCodec])[] = [];
  #isLoaded: boolean;
  #hasObjects = false;
  #isStale = false;
  /** Numbers that were looked for in vain: of types that were not asked for. */
  readonly #foreign: Set<number> = new Set();

  constructor(int8: TypePolicy["int8"], options: TypesOptions = {}) {
    this.int8 = int8;
    const codecs = new Map<number, PgCodec>();
    const byName = new Map<string, PgCodec>();
    for (const [key, codec] of Object.entries(options.codecs ?? {})) {
      const oid = /^\d+$/.test(key) ? Number(key) : typeNumber(key);
      if (oid === undefined) byName.set(key, codec);
      else codecs.set(oid, codec);
    }
    this.#codecs = codecs;
    this.#codecsByName = byName;
    this.#names = [...new Set([...(options.load ?? []), ...byName.keys()])];
    this.#builtIn =
      codecs.size + this.#names.length === 0
        ? builtInTable(int8)
        : makeTable(
            int8,
            (oid, name, codec) => own(this.#codecs, oid, name, codec),
            (oid) => this.decoder(oid, 1),
          );
    this.#entries = this.#builtIn;
    this.#customs = Array.from(codecs, ([oid, codec]) => [String(oid), codec]);
    const hasForeignCodec = [...codecs.keys()].some((oid) => !this.#builtIn.has(oid));
    this.#isLoaded = this.#names.length === 0 && !hasForeignCodec;
  }

  /** False while something must be read from the database before these types can be used. */
  get isLoaded(): boolean {
    return this.#isLoaded;
  }

  /** Whether a type turned up that is not known, or not as it was: `load` may mend that. */
  get isStale(): boolean {
    return this.#isStale;
  }

  /** What is known of a type; undefined for a number that is not known. */
  entry(oid: number): TypeEntry | undefined {
    const found = this.#entries.get(oid);
    if (found === undefined && oid >= FIRST_USER_OID) this.#miss(oid);
    return found;
  }

  /** See `decoderFor`. */
  decoder(oid: number, format: 0 | 1): Decode {
    const codec = this.entry(oid)?.codec;
    if (codec === undefined) return format === 0 ? decodeText : copyBytes;
    return format === 0 ? codec.text : codec.binary;
  }

  /**
   * Whether what a parameter means depends on the type of its place, so that it cannot be sent
   * before that is known.
   */
  needsType(value: unknown): boolean {
    if (value === null || value === undefined || typeof value === "boolean") return false;
    if (Array.isArray(value)) {
      const [first]: unknown[] = value;
      // A list of ranges is an array of them, or a multirange.
      if (hasOwnText(first) || value.some((item) => isEmptyArray(item) || this.needsType(item))) {
        return true;
      }
    }
    if (this.#hasObjects && typeof value === "object" && isPlainObject(value)) return true;
    return this.#customs.some(([type, codec]) => accepts(type, codec, value));
  }

  /** The names to look up. */
  get names(): readonly string[] {
    return this.#names;
  }

  /**
   * The types to read, by number, when `names` have these. Throws `TYPE_UNKNOWN` where one has
   * none.
   */
  wanted(numbers: readonly (number | null)[]): number[] {
    const wanted = new Set(this.#codecs.keys());
    for (const [i, name] of this.#names.entries()) {
      const oid = numbers[i] ?? undefined;
      if (oid === undefined) throw unknownType(name, undefined);
      wanted.add(oid);
    }
    return [...wanted];
  }

  /** Takes what the catalogue says of the types that were wanted. */
  adopt(numbers: readonly (number | null)[], rows: readonly CatalogueRow[]): void {
    const codecs = new Map(this.#codecs);
    for (const [i, name] of this.#names.entries()) {
      const codec = this.#codecsByName.get(name);
      if (codec !== undefined) codecs.set(numbers[i] ?? 0, codec);
    }
    const loaded = entriesOf(rows, {
      known: (oid) => this.#builtIn.get(oid),
      own: (oid, name, codec) => own(codecs, oid, name, codec),
      onAltered: () => {
        this.#isStale = true;
      },
    });
    this.#entries = new Map([...loaded, ...this.#builtIn]);
    this.#customs = Array.from(codecs, ([oid, codec]) => [String(oid), codec]);
    this.#hasObjects = rows.some(({ oid, kind }) => kind === "c" && !this.#builtIn.has(oid));
    this.#isLoaded = true;
    this.#isStale = false;
  }

  /** Forgets that a type turned up that is not known: it is being looked for. */
  calm(): void {
    this.#isStale = false;
  }

  /**
   * Whether `load` may know a type of these parameters and columns that is not known. Says so once.
   */
  misses(paramOids: readonly number[], fields: readonly { readonly typeOid: number }[]): boolean {
    if (this.#names.length === 0) return false;
    for (const oid of paramOids) this.entry(oid);
    for (const { typeOid } of fields) this.entry(typeOid);
    return this.#isStale;
  }

  #miss(oid: number): void {
    if (this.#names.length === 0 || !this.#isLoaded || this.#foreign.has(oid)) return;
    this.#foreign.add(oid);
    this.#isStale = true;
  }
}

function own(codecs: ReadonlyMap<number, PgCodec>, oid: number, name: string, codec: Codec): Codec {
  const given = codecs.get(oid);
  return given === undefined ? codec : customCodec(name, given, codec);
}

function isEmptyArray(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

/** An object that nothing but the type of its place gives a meaning. */
function isPlainObject(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** The error for a name, which the options give, of no type. */
export function unknownType(name: string, cause: unknown): ForebayError {
  return new ForebayError(
    "operating",
    "TYPE_UNKNOWN",
    `the database has no type ${name}, which the option types names: ` +
      "create it, correct the name, or give its schema",
    { retryable: false, cause },
  );
}

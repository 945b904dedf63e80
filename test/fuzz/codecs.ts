// The decoders of types, fed with bytes that are nearly right, or not at all.

import { isDeepStrictEqual } from "node:util";
import { isForebayError } from "../../packages/forebay/src/base/errors.ts";
import { type Random, randomBelow } from "../../packages/forebay/src/base/random.ts";
import { ProtocolError } from "../../packages/forebay/src/postgres/index.ts";
import { entriesOf } from "../../packages/forebay/src/postgres/wire/types/catalog.ts";
import type { Decode } from "../../packages/forebay/src/postgres/wire/types/codec.ts";
import { PG_TYPES } from "../../packages/forebay/src/postgres/wire/types/oids.ts";
import {
  builtInTable,
  type TypeEntry,
} from "../../packages/forebay/src/postgres/wire/types/table.ts";
import { split } from "../golden/decode.ts";
import { readGolden, streamOf } from "../golden/file.ts";
import type { Input } from "./input.ts";
import { weigh } from "./judge.ts";
import { damage, noise, pick } from "./mutate.ts";

const COMPOSITE = 100_001;
const COMPOSITE_ROW = {
  oid: COMPOSITE,
  name: "thing",
  kind: "c",
  delimiter: ",",
  element: 0,
  base: 0,
  of: null,
  attributes: [
    { name: "id", oid: 23 },
    { name: "tags", oid: 1009 },
    { name: "span", oid: 3904 },
  ],
};

/** Every type, one of the user's own among them, by its number. */
const TYPES: ReadonlyMap<number, TypeEntry> = new Map([
  ...builtInTable("auto"),
  ...entriesOf([COMPOSITE_ROW], {
    known: (oid) => builtInTable("auto").get(oid),
    own: (_oid, _name, codec) => codec,
    onAltered: () => undefined,
  }),
]);

const TYPE_BY_NAME = new Map([...TYPES.values()].map((entry) => [entry.name, entry]));

/** A value as a server sent it. */
interface Sample {
  readonly name: string;
  readonly format: 0 | 1;
  readonly bytes: Buffer;
}

/** The values of the record of all types. */
function recordedSamples(): Sample[] {
  const [record] = readGolden(18).filter(({ name }) => name === "types");
  if (record === undefined) throw new Error("there is no record of the types");
  const samples: Sample[] = [];
  let names: string[] = [];
  let format: 0 | 1 = 0;
  for (const { type, body } of split(streamOf(record))) {
    // The second run of a statement has no description of its own, and comes in binary.
    if (type === "T") {
      names = namesIn(body);
      format = 0;
    } else if (type === "C") format = 1;
    else if (type === "D") {
      for (const [at, bytes] of valuesIn(body).entries()) {
        const name = names[at];
        if (bytes !== undefined && name !== undefined) samples.push({ name, format, bytes });
      }
    }
  }
  return samples.filter(({ name, format: as }) => as === 0 || hasBinary(name));
}

function hasBinary(name: string): boolean {
  return TYPE_BY_NAME.get(name)?.codec.binaryResults ?? false;
}

function namesIn(body: Buffer): string[] {
  const names: string[] = [];
  for (let at = 2; at < body.length; ) {
    at = body.indexOf(0, at) + 1;
    names.push(TYPES.get(body.readUInt32BE(at + 6))?.name ?? "");
    at += 18;
  }
  return names;
}

function valuesIn(body: Buffer): (Buffer | undefined)[] {
  const values: (Buffer | undefined)[] = [];
  for (let at = 2; at < body.length; ) {
    const length = body.readInt32BE(at);
    at += 4;
    values.push(length < 0 ? undefined : body.subarray(at, at + length));
    at += Math.max(0, length);
  }
  return values;
}

function int32(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [at, value] of values.entries()) bytes.writeUInt32BE(value >>> 0, at * 4);
  return bytes;
}

/** An array of two such values and NULL. */
function arrayOf({ name, bytes }: Sample): Sample[] {
  const type = PG_TYPES.find((one) => one.name === name);
  if (type === undefined || type.arrayOid === 0) return [];
  const item = Buffer.concat([int32(bytes.length), bytes]);
  const header = int32(1, 1, type.oid, 3, 1);
  const array = Buffer.concat([header, item, int32(-1), item]);
  return [{ name: `${name}[]`, format: 1, bytes: array }];
}

/** A row of a type of the user's own, and of none. */
function compositeSamples(): Sample[] {
  const tags = Buffer.concat([int32(1, 0, 25, 1, 1, 1), Buffer.from("a")]);
  const span = Buffer.concat([Buffer.from([2]), int32(4, 1, 4, 5)]);
  const parts = [
    [23, int32(7)],
    [1009, tags],
    [3904, span],
  ] as const;
  const fields = parts.map(([oid, bytes]) => Buffer.concat([int32(oid, bytes.length), bytes]));
  const bytes = Buffer.concat([int32(parts.length), ...fields]);
  const text = Buffer.from('(7,"{a,""b""}","[1,5)")');
  return [
    { name: "thing", format: 1, bytes },
    { name: "record", format: 1, bytes },
    { name: "thing", format: 0, bytes: text },
    { name: "record", format: 0, bytes: text },
  ];
}

/** The values within the recorded rows: all are in binary. */
function recordSamples(): Sample[] {
  const [record] = readGolden(18).filter(({ name }) => name === "records");
  if (record === undefined) throw new Error("there is no record of records");
  return split(streamOf(record))
    .filter(({ type }) => type === "D")
    .flatMap(({ body }) => valuesIn(body))
    .flatMap((value) => (value === undefined ? [] : membersOf(value)));
}

function membersOf(row: Buffer): Sample[] {
  const members: Sample[] = [];
  for (let at = 4; at < row.length; ) {
    const name = TYPES.get(row.readUInt32BE(at))?.name;
    const length = Math.max(0, row.readInt32BE(at + 4));
    const bytes = row.subarray(at + 8, at + 8 + length);
    if (name !== undefined) members.push({ name, format: 1, bytes });
    at += 8 + length;
  }
  return members;
}

const RECORDED = [...recordedSamples(), ...recordSamples()];
const SAMPLES: readonly Sample[] = [
  ...RECORDED,
  ...RECORDED.filter(({ format }) => format === 1).flatMap(arrayOf),
  ...compositeSamples(),
];
const NAMES: readonly string[] = [...TYPE_BY_NAME.keys()];

/** Something for a decoder to read. */
export function codecInput(random: Random): Input {
  if (random.next() < 0.15) {
    const name = `${pick(random, NAMES)} ${pick(random, ["text", "binary"])}`;
    return { target: "codec", name, chunks: [noise(random, 64)] };
  }
  const { name, format, bytes } = pick(random, SAMPLES);
  let changed = bytes;
  const count = 1 + randomBelow(random, 3);
  for (let i = 0; i < count; i++) changed = damage(random, changed);
  const as = format === 0 ? "text" : "binary";
  return { target: "codec", name: `${name} ${as}`, chunks: [changed] };
}

type Outcome = { readonly value: unknown } | { readonly refused: string };

/** Reads a value that lies among other bytes, which are overwritten afterwards. */
function outcomeAmong(decode: Decode, bytes: Buffer, other: number): Outcome {
  const chunk = Buffer.alloc(bytes.length + 40, other);
  chunk.set(bytes, 20);
  try {
    const value = decode(chunk, 20, 20 + bytes.length);
    chunk.fill(0xee);
    return { value };
  } catch (error) {
    const isOurs =
      error instanceof ProtocolError ||
      (isForebayError(error) && error.code === "VALUE_OUT_OF_RANGE");
    if (!isOurs) throw error;
    return { refused: error.message };
  }
}

/** The longest number that `numeric` has is written with so many digits. */
const DIGITS_MAX = 150_000;

/** Decodes; gives what is wrong with what came of it. */
export function runCodec({ name, chunks }: Input): string | undefined {
  const [, type = "", format] = /^(.*) (text|binary)$/u.exec(name) ?? [];
  const codec = TYPE_BY_NAME.get(type)?.codec;
  if (codec === undefined) throw new Error(`there is no type ${type}`);
  const decode = format === "text" ? codec.text : codec.binary;
  const bytes = Buffer.concat(chunks);
  let outcomes: Outcome[];
  try {
    // Zeroes, ones, and what numbers, arrays and escapes are made of.
    outcomes = [0x00, 0xff, 0x39, 0x7d, 0x5c].map((other) => outcomeAmong(decode, bytes, other));
  } catch (error) {
    return `a decoder throws ${error instanceof Error ? (error.stack ?? "") : String(error)}`;
  }
  const [first, ...others] = outcomes;
  if (!others.every((other) => isDeepStrictEqual(other, first))) {
    return "the value depends on bytes around it, or keeps some of them";
  }
  const weight = first !== undefined && "value" in first ? weigh(first.value) : 0;
  const most = DIGITS_MAX * (1 + bytes.length / 4);
  return weight > most ? `${bytes.length} bytes became a value of ${weight}` : undefined;
}

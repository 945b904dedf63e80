// point, line, lseg, box, path, polygon and circle: objects of numbers, without loss. They know
// their own text, so that they are what they are also where the type of a parameter is not known.

import type { Writer } from "../proto/writer.ts";
import { type Codec, malformed, refusal } from "./codec.ts";
import { looseCodec, numberText } from "./loose.ts";
import { OwnText } from "./own-text.ts";
import { latin1 } from "./raw.ts";

/** What is enough for a point: `{ x: 1, y: 2 }`. */
export interface PointLike {
  readonly x: number;
  readonly y: number;
}

/** A point. */
export class PgPoint extends OwnText implements PointLike {
  readonly x: number;
  readonly y: number;

  constructor(x: number, y: number) {
    super();
    this.x = x;
    this.y = y;
  }

  toString(): string {
    return pointText(this);
  }
}

/** The line `a`x + `b`y + `c` = 0. */
export class PgLine extends OwnText {
  readonly a: number;
  readonly b: number;
  readonly c: number;

  constructor(a: number, b: number, c: number) {
    super();
    this.a = a;
    this.b = b;
    this.c = c;
  }

  toString(): string {
    return `{${[this.a, this.b, this.c].map(numberText).join(",")}}`;
  }
}

/** A piece of a line, between two points: PostgreSQL's lseg. */
export class PgSegment extends OwnText {
  readonly from: PgPoint;
  readonly to: PgPoint;

  constructor(from: PointLike, to: PointLike) {
    super();
    this.from = pointOf(from);
    this.to = pointOf(to);
  }

  toString(): string {
    return `[${pointText(this.from)},${pointText(this.to)}]`;
  }
}

/** A box, by two opposite corners; the server makes them the upper right and the lower left. */
export class PgBox extends OwnText {
  readonly high: PgPoint;
  readonly low: PgPoint;

  constructor(high: PointLike, low: PointLike) {
    super();
    this.high = pointOf(high);
    this.low = pointOf(low);
  }

  toString(): string {
    return `${pointText(this.high)},${pointText(this.low)}`;
  }
}

/** A path through points; a closed one returns to the first. */
export class PgPath extends OwnText {
  readonly points: readonly PgPoint[];
  readonly closed: boolean;

  constructor(points: readonly PointLike[], end: "closed" | "open") {
    super();
    this.points = points.map(pointOf);
    this.closed = end === "closed";
  }

  toString(): string {
    const points = this.points.join(",");
    return this.closed ? `(${points})` : `[${points}]`;
  }
}

/** A polygon, by its corners. */
export class PgPolygon extends OwnText {
  readonly points: readonly PgPoint[];

  constructor(points: readonly PointLike[]) {
    super();
    this.points = points.map(pointOf);
  }

  toString(): string {
    return `(${this.points.join(",")})`;
  }
}

/** A circle round the point `x`, `y`. */
export class PgCircle extends OwnText {
  readonly x: number;
  readonly y: number;
  readonly radius: number;

  constructor(x: number, y: number, radius: number) {
    super();
    this.x = x;
    this.y = y;
    this.radius = radius;
  }

  toString(): string {
    return `<${pointText(this)},${numberText(this.radius)}>`;
  }
}

function pointOf({ x, y }: PointLike): PgPoint {
  return new PgPoint(x, y);
}

function pointText({ x, y }: PointLike): string {
  return `(${numberText(x)},${numberText(y)})`;
}

const NUMBER = /NaN|-?Infinity|-?\d+(?:\.\d+)?(?:e[+-]?\d+)?/g;

/** How a type is told apart and taken apart. */
interface Shape {
  readonly type: string;
  /** What is left of the text when each number is an `n`. */
  readonly skeleton: RegExp;
  /** What stands before the numbers in the binary format: a byte, the number of points. */
  readonly prefix: "" | "count" | "closed-count";
  /** How many numbers there are; 0 for as many as the prefix says. */
  readonly numberCount: number;
  make(numbers: readonly number[], isClosed: boolean): OwnText;
  /** The numbers of a value; undefined for what is none. */
  numbersOf(value: Readonly<Record<string, unknown>>): readonly unknown[] | undefined;
}

function pointsFrom(numbers: readonly number[]): PgPoint[] {
  return Array.from(
    { length: numbers.length / 2 },
    (_, i) => new PgPoint(numbers[i * 2] ?? 0, numbers[i * 2 + 1] ?? 0),
  );
}

/** A circle is no point: its radius would be lost. */
function numbersOfPoint(value: unknown): readonly unknown[] {
  const { x, y, radius } = (value ?? {}) as Readonly<Record<string, unknown>>;
  return radius === undefined ? [x, y] : [undefined];
}

function numbersOfPoints(value: unknown): readonly unknown[] | undefined {
  return Array.isArray(value) ? value.flatMap(numbersOfPoint) : undefined;
}

const SHAPES: readonly Shape[] = [
  {
    type: "point",
    skeleton: /^\(n,n\)$/,
    prefix: "",
    numberCount: 2,
    make: ([x = 0, y = 0]) => new PgPoint(x, y),
    numbersOf: numbersOfPoint,
  },
  {
    type: "line",
    skeleton: /^\{n,n,n\}$/,
    prefix: "",
    numberCount: 3,
    make: ([a = 0, b = 0, c = 0]) => new PgLine(a, b, c),
    numbersOf: ({ a, b, c }) => [a, b, c],
  },
  {
    type: "lseg",
    skeleton: /^\[\(n,n\),\(n,n\)\]$/,
    prefix: "",
    numberCount: 4,
    make: ([a = 0, b = 0, c = 0, d = 0]) => new PgSegment({ x: a, y: b }, { x: c, y: d }),
    numbersOf: ({ from, to }) => numbersOfPoints([from, to]),
  },
  {
    type: "box",
    skeleton: /^\(n,n\),\(n,n\)$/,
    prefix: "",
    numberCount: 4,
    make: ([a = 0, b = 0, c = 0, d = 0]) => new PgBox({ x: a, y: b }, { x: c, y: d }),
    numbersOf: ({ high, low }) => numbersOfPoints([high, low]),
  },
  {
    type: "path",
    skeleton: /^(?:\((?:\(n,n\),)*\(n,n\)\)|\[(?:\(n,n\),)*\(n,n\)\])$/,
    prefix: "closed-count",
    numberCount: 0,
    make: (numbers, isClosed) => new PgPath(pointsFrom(numbers), isClosed ? "closed" : "open"),
    numbersOf: ({ points, closed }) =>
      typeof closed === "boolean" ? numbersOfPoints(points) : undefined,
  },
  {
    type: "polygon",
    skeleton: /^\((?:\(n,n\),)*\(n,n\)\)$/,
    prefix: "count",
    numberCount: 0,
    make: (numbers) => new PgPolygon(pointsFrom(numbers)),
    numbersOf: ({ points, closed }) => (closed === undefined ? numbersOfPoints(points) : undefined),
  },
  {
    type: "circle",
    skeleton: /^<\(n,n\),n>$/,
    prefix: "",
    numberCount: 3,
    make: ([x = 0, y = 0, radius = 0]) => new PgCircle(x, y, radius),
    numbersOf: ({ x, y, radius }) => [x, y, radius],
  },
];

const PREFIX_BYTES = { "": 0, count: 4, "closed-count": 5 } as const;

function numbersIn(shape: Shape, value: unknown): readonly number[] | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const numbers = shape.numbersOf(value as Record<string, unknown>);
  if (numbers === undefined || numbers.length === 0) return undefined;
  return numbers.every((n) => typeof n === "number") ? numbers : undefined;
}

function isClosed(value: unknown): boolean {
  return (value as { readonly closed?: unknown }).closed === true;
}

function decodeBinary(shape: Shape, bytes: Buffer, start: number, end: number): OwnText {
  const first = start + PREFIX_BYTES[shape.prefix];
  if (first > end) throw malformed(shape.type, "binary");
  const count = shape.prefix === "" ? shape.numberCount : bytes.readInt32BE(first - 4) * 2;
  if (count <= 0 || end - first !== count * 8) throw malformed(shape.type, "binary");
  const numbers = Array.from({ length: count }, (_, i) => bytes.readDoubleBE(first + i * 8));
  return shape.make(numbers, bytes[start] === 1);
}

function write(shape: Shape, writer: Writer, value: unknown): void {
  const numbers = numbersIn(shape, value) ?? [];
  writer.int32(PREFIX_BYTES[shape.prefix] + numbers.length * 8);
  if (shape.prefix === "closed-count") writer.int8(isClosed(value) ? 1 : 0);
  if (shape.prefix !== "") writer.int32(numbers.length / 2);
  for (const number of numbers) writer.float64(number);
}

function codecOf(shape: Shape): Codec {
  const { type } = shape;
  const toText = (value: unknown): string => {
    const numbers = numbersIn(shape, value);
    if (numbers === undefined) throw refusal(value, type, `it is no ${type}`);
    return shape.make(numbers, isClosed(value)).toString();
  };
  return {
    ...looseCodec(type),
    text: (bytes, start, end) => {
      const text = latin1(bytes, start, end);
      const numbers: number[] = [];
      const skeleton = text.replace(NUMBER, (number) => {
        numbers.push(Number(number));
        return "n";
      });
      if (!shape.skeleton.test(skeleton)) throw malformed(type, "text");
      return shape.make(numbers, text.startsWith("("));
    },
    binary: (bytes, start, end) => decodeBinary(shape, bytes, start, end),
    binaryResults: true,
    takes: (value) => numbersIn(shape, value) !== undefined,
    write: (writer, value) => write(shape, writer, value),
    toText,
    literal: (value) => (typeof value === "string" ? value : toText(value)),
  };
}

/** The codecs by the names of their types. */
export const GEOMETRIC_CODECS: ReadonlyMap<string, Codec> = new Map(
  SHAPES.map((shape) => [shape.type, codecOf(shape)]),
);

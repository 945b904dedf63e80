// Values that JavaScript does not have: ranges, shapes, arrays that begin elsewhere; and codecs of
// users, as options.

import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  lowerBoundsOf,
  PgBox,
  PgCircle,
  type PgCodec,
  PgLine,
  PgPath,
  PgPoint,
  PgPolygon,
  PgSegment,
  postgres,
  Range,
  type RangeBounds,
  withLowerBounds,
} from "../../../packages/forebay/src/postgres/index.ts";
import { Writer } from "../../../packages/forebay/src/postgres/wire/proto/writer.ts";
import {
  paramFormat,
  TypeRegistry,
  writeParam,
} from "../../../packages/forebay/src/postgres/wire/types/index.ts";

const invalid = expect.objectContaining({ code: "ARGUMENT_INVALID" });

function textOf(value: unknown, oid = 0): string {
  const writer = new Writer();
  writeParam(writer, value, oid);
  expect(paramFormat(value, oid)).toBe(0);
  return writer.take().toString("utf8", 4);
}

describe("Range", () => {
  it("has a lower end that belongs to it and an upper one that does not, unless told", () => {
    expect(new Range(1, 5)).toEqual({
      lower: 1,
      upper: 5,
      lowerInclusive: true,
      upperInclusive: false,
      empty: false,
    });
    expect(String(new Range(1, 5, "(]"))).toBe("(1,5]");
    expect(() => new Range(1, 5, "<>" as RangeBounds)).toThrow(invalid);
  });

  it("has no inclusive end where there is none", () => {
    const all = new Range<number>(null, null, "[]");
    expect([all.lowerInclusive, all.upperInclusive, String(all)]).toEqual([false, false, "(,)"]);
  });

  it("reads what it writes, whatever the ends are made of", () => {
    const end = fc.option(fc.string({ unit: "grapheme" }));
    const bounds = fc.constantFrom<RangeBounds>("[)", "[]", "(]", "()");
    fc.assert(
      fc.property(end, end, bounds, (lower, upper, how) => {
        const range = new Range(lower, upper, how);
        expect(Range.parse(range.format())).toStrictEqual(range);
      }),
    );
    expect(Range.parse(" EMPTY ")).toStrictEqual(Range.empty());
    expect(String(Range.empty())).toBe("empty");
  });

  it("reads and writes its ends as it is told", () => {
    const range = Range.parse("[1,5)", Number);
    expect(range).toStrictEqual(new Range(1, 5));
    expect(range.format((n) => `<${n}>`)).toBe("[<1>,<5>)");
    expect(String(new Range(new Date(0), null))).toBe("[1970-01-01T00:00:00.000Z,)");
  });

  it("is read as PostgreSQL reads it, with either way to escape", () => {
    expect(Range.parse('["a""b\\"c\\\\",")")')).toStrictEqual(new Range('a"b"c\\', ")"));
    expect(Range.parse('["",)')).toStrictEqual(new Range<string>("", null));
  });

  it("refuses what is no text of a range", () => {
    for (const text of ["", "1,5", "[1;5)", "[1,5", "[1,5,6)", '["1,5)', "[1,5)x", "[(,)"]) {
      expect(() => Range.parse(text)).toThrow(invalid);
    }
  });

  it("is its text as a parameter of unknown type, alone and in an array", () => {
    expect(textOf(new Range(1, null))).toBe("[1,)");
    expect(textOf([new Range("a", "b c")])).toBe('{"[a,\\"b c\\")"}');
  });

  it("may be a plain object as a parameter of known type, and nothing else", () => {
    const int4range = 3904;
    const bytes = (value: unknown): string => {
      const writer = new Writer();
      writeParam(writer, value, int4range);
      return writer.take().toString("hex");
    };
    expect(bytes({ lower: 1, upper: null })).toBe(bytes(new Range(1, null)));
    expect(bytes({ empty: true })).toBe(bytes(Range.empty()));
    expect(textOf({ lower: "1", upper: 5, upperInclusive: true }, int4range)).toBe("[1,5]");
    for (const value of [{ lower: 1 }, {}, 5, [1, 2], new PgPoint(1, 2)]) {
      expect(() => bytes(value)).toThrow(invalid);
    }
    expect(() => bytes(new Range(1.5, 2))).toThrow(invalid);
  });
});

describe("shapes", () => {
  const at = (x: number, y: number) => ({ x, y });

  it("are their text as parameters of unknown type", () => {
    expect(textOf(new PgPoint(1, -0))).toBe("(1,-0)");
    expect(textOf(new PgLine(1, 2, 3))).toBe("{1,2,3}");
    expect(textOf(new PgSegment(at(1, 2), at(3, 4)))).toBe("[(1,2),(3,4)]");
    expect(textOf(new PgBox(at(3, 4), at(1, 2)))).toBe("(3,4),(1,2)");
    expect(textOf(new PgPath([at(1, 2)], "open"))).toBe("[(1,2)]");
    expect(textOf(new PgPath([at(1, 2), at(3, 4)], "closed"))).toBe("((1,2),(3,4))");
    expect(textOf(new PgPolygon([at(1, 2), at(3, 4)]))).toBe("((1,2),(3,4))");
    expect(textOf(new PgCircle(1, 2, Infinity))).toBe("<(1,2),Infinity>");
    expect(textOf([new PgPoint(1, 2)])).toBe('{"(1,2)"}');
  });

  it("are JSON where JSON is asked for", () => {
    expect(JSON.stringify(new PgPoint(1, 2))).toBe('{"x":1,"y":2}');
    expect(textOf(new Range(1, 2), 3802)).toContain('"lower":1');
  });

  it("are refused where a part of them would be lost", () => {
    const [point, path, polygon] = [600, 602, 604];
    const refused: [unknown, number][] = [
      [new PgCircle(1, 2, 3), point],
      [{ x: 1 }, point],
      [{ x: "1", y: 2 }, point],
      [{ points: [at(1, 2)] }, path],
      [new PgPath([at(1, 2)], "open"), polygon],
      [{ points: [] }, polygon],
      [new Uint8Array(16), point],
    ];
    for (const [value, oid] of refused) {
      expect(() => writeParam(new Writer(), value, oid)).toThrow(invalid);
    }
  });
});

describe("lower bounds", () => {
  it("are kept beside an array, and hidden from whoever does not ask", () => {
    const array = withLowerBounds([1, 2], [0]);
    expect(lowerBoundsOf(array)).toEqual([0]);
    expect(Object.keys(array)).toEqual(["0", "1"]);
    expect(JSON.stringify(array)).toBe("[1,2]");
    expect(lowerBoundsOf([...array])).toEqual([]);
    expect(lowerBoundsOf(withLowerBounds(array, [1]))).toEqual([]);
  });

  it("are sent with the array", () => {
    expect(textOf(withLowerBounds([[1, 2]], [0, -5]))).toBe("[0:0][-5:-4]={{1,2}}");
    expect(textOf(withLowerBounds([], [0]))).toBe("{}");
  });

  it("are whole numbers of 32 bits", () => {
    for (const bound of [1.5, 2 ** 31, Number.NaN]) {
      expect(() => withLowerBounds([1], [bound])).toThrow(invalid);
    }
  });
});

describe("the option types", () => {
  const codec: PgCodec<string> = { fromText: (text) => text, toText: (value) => value };

  it("is refused unless codecs have both ways in text, and names are names", () => {
    const bad = [
      { codecs: { ltree: {} as PgCodec } },
      { codecs: { ltree: { fromText: codec.fromText } as PgCodec } },
      { load: [""] },
      { load: ["a\0"] },
      { load: [5 as unknown as string] },
    ];
    for (const types of bad) {
      expect(() => postgres("", { types, env: {} })).toThrow(
        expect.objectContaining({ code: "OPTION_INVALID" }),
      );
    }
    expect(() => postgres("", { types: { codecs: { ltree: codec } }, env: {} })).not.toThrow();
  });

  it("asks for results in text of a type whose codec reads no binary", () => {
    const plain = new TypeRegistry("auto");
    expect(plain.entry(1082)?.codec.binaryResults).toBe(true);
    const own = new TypeRegistry("auto", { codecs: { date: codec } });
    for (const oid of [1082, 1182, 3912, 4535, 3913]) {
      expect([oid, own.entry(oid)?.codec.binaryResults]).toEqual([oid, false]);
    }
    expect(own.entry(23)?.codec.binaryResults).toBe(true);
  });

  it("needs to know the type of a place only for what has no meaning of its own", () => {
    const plain = new TypeRegistry("auto");
    const own = new TypeRegistry("auto", { codecs: { jsonb: codec } });
    const range = new Range(1, 2);
    for (const value of [1, "x", null, undefined, true, 1n, new Date(), range, [1], ["x"], []]) {
      expect([value, plain.needsType(value), own.needsType(value)]).toEqual([value, false, false]);
    }
    expect([plain.needsType({}), own.needsType({}), own.needsType([{}])]).toEqual([
      false,
      true,
      true,
    ]);
    expect([plain.needsType([range]), plain.needsType([[range]])]).toEqual([true, true]);
  });
});

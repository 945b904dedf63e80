import { describe, expect, test } from "vitest";
import { namedArgs } from "../../../packages/forebay/src/postgres/named-args.ts";
import {
  hasSeveralStatements,
  pieceEnd,
} from "../../../packages/forebay/src/postgres/wire/sql-text.ts";

/** Pieces of SQL in which nothing counts. */
const OPAQUE: readonly string[] = [
  "'; @a'",
  "'it''s; @a'",
  "'back\\'",
  "E'it\\'s; @a'",
  "e'\\\\'",
  "E'one'\n  'two\\'; @a'",
  "E'one' -- and\n 'two\\'; @a'",
  '"; @a"',
  '"a""; @a"',
  "$$; ' @a$$",
  "$tag$; $$ @a $tag$",
  "/* ; @a /* ; */ ' */",
];

describe("pieceEnd", () => {
  test.each(OPAQUE)("%j is one piece", (piece) => {
    expect(pieceEnd(`${piece} ;`, 0)).toBe(piece.length);
    expect(pieceEnd(`x ${piece}`, 2)).toBe(piece.length + 2);
  });

  test.each([
    "'open",
    "E'open\\",
    '"open',
    "$$open",
    "$a$open$$",
    "/* open /* */",
    "-- to the end",
  ])("%j is never closed, and goes to the end", (piece) => {
    expect(pieceEnd(piece, 0)).toBe(piece.length);
  });

  test("a line comment ends with its line, a word where it ends", () => {
    expect(pieceEnd("-- a ' b\n;", 0)).toBe(8);
    expect(pieceEnd("foo$bar$ x", 0)).toBe(8);
    expect(pieceEnd("élan;", 0)).toBe(4);
    expect(pieceEnd("$1", 0)).toBe(0);
    expect(pieceEnd("- 1", 0)).toBe(0);
    expect(pieceEnd(";", 0)).toBe(0);
  });
});

describe("hasSeveralStatements", () => {
  test.each(["a; b", ";;a", "a;/* c */b", "begin; commit;", "a;$$x$$", "a;'b'", "a; -- c\nb"])(
    "%j has",
    (sql) => {
      expect(hasSeveralStatements(sql)).toBe(true);
    },
  );

  test.each([
    "",
    "a",
    "a;",
    "a; ;\n",
    "a; -- b",
    "a; /* b */ ;",
    ...OPAQUE.map((p) => `a ${p} b;`),
  ])("%j has not", (sql) => {
    expect(hasSeveralStatements(sql)).toBe(false);
  });
});

describe("namedArgs", () => {
  test("names become positions, in the order of their first place", () => {
    const [sql, args] = namedArgs("SELECT @b, @a::int, @b WHERE x=@a2", { a: 1, b: 2, a2: null });
    expect(sql).toBe("SELECT $1, $2::int, $1 WHERE x=$3");
    expect(args).toEqual([2, 1, null]);
  });

  test("a text without names is left as it is", () => {
    expect(namedArgs("SELECT 1", {})).toEqual(["SELECT 1", []]);
  });

  test.each(OPAQUE)("%j is left as it is", (piece) => {
    expect(namedArgs(`SELECT ${piece} , @a`, { a: 1 })).toEqual([`SELECT ${piece} , $1`, [1]]);
  });

  test.each([
    ["tags @> @a", "tags @> $1"],
    ["tags @>@a", undefined],
    ["tags <@ @a", "tags <@ $1"],
    ["x <@a", undefined],
    ["x@@ @a", "x@@ $1"],
    ["x @@@a", undefined],
    ["x>=@a", "x>=$1"],
    ["x||@a||@a", "x||$1||$1"],
    ["f(@a)", "f($1)"],
    ["@ -5 + @a", "@ -5 + $1"],
    ["@5 + @a", "@5 + $1"],
    ["a@b.c + @a", undefined],
  ])("the @ of an operator is none: %j", (sql, expected) => {
    const run = () => namedArgs(sql, { a: 1 });
    const outcome = expected === undefined ? "[ARGUMENT_INVALID]" : [expected, [1]];
    let found: unknown;
    try {
      found = run();
    } catch (error) {
      found = /\[[A-Z_]+\]$/.exec(String(error))?.[0];
    }
    expect(found).toEqual(outcome);
  });

  test.each([
    ["SELECT @a", {}, "no value was given for @a"],
    ["SELECT @toString", {}, "no value was given"],
    ["SELECT 1", { a: 1 }, "no @a is in the text"],
    ["SELECT @a, $1", { a: 1 }, "placeholders by position"],
  ])("%j is refused", (sql, values, why) => {
    expect(() => namedArgs(sql, values)).toThrow(why);
    expect(() => namedArgs(sql, values)).toThrow("[ARGUMENT_INVALID]");
  });
});

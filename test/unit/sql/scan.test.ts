import { expect, expectTypeOf, test } from "vitest";
import { scan } from "../../../packages/forebay/src/sql/scan.ts";

const MISMATCH = "VALUE_MISMATCH";
const RANGE = "VALUE_OUT_OF_RANGE";

function thrownBy(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  throw new Error("expected a throw");
}

test("a row is read by its shape, and its type is known", () => {
  const seen = new Date();
  const row = { id: 7, name: null, seen, big: "9007199254740993", kept: "out" };
  const user = scan(row, {
    id: scan.int,
    name: scan.nullable(scan.text),
    seen: scan.date,
    big: scan.bigint,
  });
  expect(user).toEqual({ id: 7, name: null, seen, big: 9007199254740993n });
  expectTypeOf(user).toEqualTypeOf<{ id: number; name: string | null; seen: Date; big: bigint }>();
});

test.each([
  ["int", 7, 7],
  ["int", -0, -0],
  ["int", 2n ** 53n - 1n, Number.MAX_SAFE_INTEGER],
  ["int", "-12", -12],
  ["int", "+007", 7],
  ["number", 0.5, 0.5],
  ["number", "1.100", 1.1],
  ["number", "0.30000000000000004", 0.30000000000000004],
  ["number", "-00.50e3", -500],
  ["number", "1e4", 1e4],
  ["number", "0.000", 0],
  ["number", "NaN", NaN],
  ["number", "-Infinity", -Infinity],
  ["number", 2n ** 60n, 2 ** 60],
  ["number", "1.152921504606847e18", 2 ** 60],
  ["bigint", 7, 7n],
  ["bigint", "-9007199254740993", -9007199254740993n],
  ["text", "x", "x"],
  ["text", 1.5, "1.5"],
  ["text", 10n ** 20n, "100000000000000000000"],
  ["text", false, "false"],
  ["boolean", true, true],
  ["boolean", 0, false],
  ["boolean", 1n, true],
  ["boolean", "t", true],
  ["boolean", "false", false],
  ["date", "2024-02-29T12:00:00Z", new Date("2024-02-29T12:00:00Z")],
  ["date", "2024-02-29 14:00:00.250000+02", new Date("2024-02-29T12:00:00.250Z")],
  ["date", "2024-02-29 17:30:00+0530", new Date("2024-02-29T12:00:00Z")],
] as const)("scan.%s reads %o as %o", (scanner, value, expected) => {
  expect(scan[scanner](value)).toEqual(expected);
});

test.each([
  ["int", 2 ** 53, RANGE],
  ["int", 2n ** 53n, RANGE],
  ["int", "9007199254740993", RANGE],
  ["int", 1.5, MISMATCH],
  ["int", "1.0", MISMATCH],
  ["int", "", MISMATCH],
  ["int", NaN, MISMATCH],
  ["int", true, MISMATCH],
  ["int", null, MISMATCH],
  ["int", undefined, MISMATCH],
  ["number", "12345678901234567890.123", RANGE],
  ["number", 2n ** 53n + 1n, RANGE],
  ["number", "1e400", RANGE],
  ["number", "1e-400", RANGE],
  ["number", "1152921504606847000", RANGE],
  ["number", "0x10", MISMATCH],
  ["number", "", MISMATCH],
  ["bigint", 2 ** 53, RANGE],
  ["bigint", 1.5, MISMATCH],
  ["text", null, MISMATCH],
  ["text", {}, MISMATCH],
  ["boolean", 2, MISMATCH],
  ["boolean", "yes", MISMATCH],
  ["date", new Date(NaN), MISMATCH],
  ["date", Infinity, MISMATCH],
  ["date", "2024-02-29", MISMATCH],
  ["date", "2024-02-29 12:00:00", MISMATCH],
  ["date", "2023-02-29 12:00:00Z", MISMATCH],
  ["date", "2024-13-01 12:00:00Z", MISMATCH],
  ["date", "2024-02-29 12:00:00.123456Z", RANGE],
  ["bytes", "text", MISMATCH],
] as const)("scan.%s refuses %o with %s", (scanner, value, code) => {
  expect(thrownBy(() => scan[scanner](value))).toMatchObject({ code, retryable: false });
});

test("no message holds the value", () => {
  const error = thrownBy(() => scan({ secret: "hunter2" }, { secret: scan.int }));
  expect(String(error)).toBe(
    'ForebayError: column "secret": this string is not an int [VALUE_MISMATCH]',
  );
});

test("NULL is refused unless the scanner is nullable, and the message says so", () => {
  expect(String(thrownBy(() => scan.text(null)))).toContain("use scan.nullable");
  expect(scan.nullable(scan.text)(null)).toBe(null);
  expect(scan.nullable(scan.text)("x")).toBe("x");
  expect(thrownBy(() => scan.nullable(scan.text)(undefined))).toMatchObject({ code: MISMATCH });
});

test("bytes are given as they are, whatever class of bytes they are", () => {
  const bytes = Buffer.from("ab");
  expect(scan.bytes(bytes)).toBe(bytes);
});

test("an error names the column and keeps its cause and its code", () => {
  const late = thrownBy(() => scan({ n: 2n ** 60n }, { n: scan.int }));
  expect(late).toMatchObject({ code: RANGE, cause: { code: RANGE } });
  expect(String(late)).toContain('column "n": ');
  expect(String(thrownBy(() => scan({}, { n: scan.int })))).toContain('no column "n"');
  expect(thrownBy(() => scan({}, { toString: scan.text }))).toMatchObject({ code: MISMATCH });
});

test("any function is a scanner, and what it throws is the cause", () => {
  const mistake = new TypeError("no such state");
  const state = (value: unknown): "on" | "off" => {
    if (value === 1) return "on";
    if (value === 0) return "off";
    throw mistake;
  };
  expect(scan({ state: 1 }, { state })).toEqual({ state: "on" });
  const error = thrownBy(() => scan({ state: 2 }, { state }));
  expect(error).toMatchObject({ code: MISMATCH, cause: mistake });
});

test("a column named like a property of objects stays data", () => {
  const row = JSON.parse('{ "__proto__": 7 }') as object;
  const shape = JSON.parse('{ "__proto__": 0 }') as Record<string, unknown>;
  Object.defineProperty(shape, "__proto__", { value: scan.int, enumerable: true });
  const read = scan(row, shape as Record<string, typeof scan.int>);
  expect(Object.entries(read)).toEqual([["__proto__", 7]]);
});

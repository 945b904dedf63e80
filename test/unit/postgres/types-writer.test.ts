// The buffer that everything for the server is written to.

import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Writer } from "../../../packages/forebay/src/postgres/wire/proto/writer.ts";

describe("Writer", () => {
  it("writes integers in network order, with their low bits only", () => {
    const writer = new Writer();
    writer.int8(-1);
    writer.int16(-2);
    writer.int32(-3);
    writer.int32(0x8000_0001);
    writer.int64(-4n);
    expect(writer.take().toString("hex")).toBe("fffffefffffffd80000001fffffffffffffffc");
  });

  it("writes a safe integer as the same 64 bits as a bigint", () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), (n) => {
        const writer = new Writer();
        writer.int64Safe(n);
        writer.int64(BigInt(n));
        const bytes = writer.take();
        expect(bytes.subarray(0, 8)).toEqual(bytes.subarray(8));
        expect(bytes.readBigInt64BE(0)).toBe(BigInt(n));
      }),
    );
  });

  it("writes floats that read back the same", () => {
    fc.assert(
      fc.property(fc.double(), fc.float(), (double, single) => {
        const writer = new Writer();
        writer.float64(double);
        writer.float32(single);
        const bytes = writer.take();
        expect(bytes.readDoubleBE(0)).toBe(double);
        expect(bytes.readFloatBE(8)).toBe(single);
      }),
    );
  });

  it("writes strings of every length and alphabet as UTF-8", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: "grapheme", maxLength: 60 })), (strings) => {
        const writer = new Writer();
        for (const string of strings) writer.utf8(string);
        expect(writer.take().toString("utf8")).toBe(strings.join(""));
      }),
    );
    const long = "é€😀a".repeat(20_000);
    const writer = new Writer();
    writer.utf8(long);
    expect(writer.take().toString("utf8")).toBe(long);
  });

  it("ends a cstring with a zero byte and refuses one that has a zero byte inside", () => {
    const writer = new Writer();
    writer.cstring("né");
    expect(() => writer.cstring("a\0b")).toThrow(
      expect.objectContaining({ code: "ARGUMENT_INVALID" }),
    );
    expect(writer.take()).toEqual(Buffer.from("né\0"));
  });

  it("keeps what is written, and its positions, while the buffer grows", () => {
    const writer = new Writer();
    writer.int8(7);
    const mark = writer.mark();
    writer.int32(0);
    const filler = Buffer.alloc(100_000, 0xab);
    writer.bytes(filler);
    writer.patchInt32(mark, writer.length - mark);
    const bytes = writer.take();
    expect(bytes.readInt8(0)).toBe(7);
    expect(bytes.readInt32BE(1)).toBe(100_004);
    expect(bytes.subarray(5)).toEqual(filler);
  });

  it("never writes again into bytes that were taken", () => {
    const writer = new Writer();
    const taken: Buffer[] = [];
    for (let i = 0; i < 200; i++) {
      writer.utf8("x".repeat(i * 37).concat(String(i)));
      taken.push(writer.take());
    }
    expect(taken.map(String)).toEqual(taken.map((_, i) => "x".repeat(i * 37).concat(String(i))));
  });

  it("forgets everything on reset, and what follows a mark on truncate", () => {
    const writer = new Writer();
    writer.utf8("lost");
    writer.reset();
    writer.utf8("kept");
    const mark = writer.mark();
    writer.utf8("lost");
    writer.truncate(mark);
    expect(String(writer.take())).toBe("kept");
    expect(writer.length).toBe(0);
  });
});

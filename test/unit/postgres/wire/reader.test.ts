// Framing: whatever the pieces that bytes come in, the messages are the same, and nonsense is told
// as such.

import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ProtocolError } from "../../../../packages/forebay/src/postgres/index.ts";
import { MessageReader } from "../../../../packages/forebay/src/postgres/wire/proto/reader.ts";
import { int32, message, thrownBy } from "./messages.ts";

interface Seen {
  readonly type: number;
  readonly body: string;
}

function read(chunks: readonly Buffer[], maxBodyBytes = 1 << 20): Seen[] {
  const seen: Seen[] = [];
  const onMessage = (type: number, bytes: Buffer, start: number, end: number) => {
    seen.push({ type, body: bytes.toString("hex", start, end) });
  };
  const reader = new MessageReader({ onMessage }, maxBodyBytes);
  // Each chunk is overwritten afterwards, so that whoever keeps a view of it is found out.
  for (const chunk of chunks) {
    const copy = Buffer.from(chunk);
    reader.push(copy);
    copy.fill(0xee);
  }
  return seen;
}

function cut(bytes: Buffer, at: readonly number[]): Buffer[] {
  const places = [...new Set(at.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...places].map((from, i) => bytes.subarray(from, places[i] ?? bytes.length));
}

const messages = fc.array(
  fc.record({
    type: fc.constantFrom(..."RSKZTDCEN123".split("")),
    body: fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.integer({ min: 60_000, max: 140_000 }).map((length) => new Uint8Array(length).fill(7)),
    ),
  }),
  { maxLength: 8 },
);

describe("the reader", () => {
  test("gives the same messages however the bytes are cut", () => {
    fc.assert(
      fc.property(messages, fc.array(fc.nat(), { maxLength: 12 }), (list, places) => {
        const bytes = Buffer.concat(list.map(({ type, body }) => message(type, Buffer.from(body))));
        const expected = list.map(({ type, body }) => ({
          type: type.charCodeAt(0),
          body: Buffer.from(body).toString("hex"),
        }));
        expect(read([bytes])).toEqual(expected);
        expect(read(cut(bytes, places))).toEqual(expected);
      }),
    );
  });

  test("gives the same messages byte by byte", () => {
    const bytes = Buffer.concat([
      message("Z", Buffer.from("I")),
      message("1"),
      message("D", Buffer.alloc(300, 5)),
    ]);
    const each = Array.from(bytes, (byte) => Buffer.from([byte]));
    expect(read(each)).toEqual(read([bytes]));
    expect(read([bytes])).toHaveLength(3);
  });

  test("throws nothing but ProtocolError, whatever comes and however it is cut", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.array(fc.nat()), (bytes, places) => {
        const error = thrownBy(() => read(cut(Buffer.from(bytes), places)));
        expect(error === undefined || error instanceof ProtocolError).toBe(true);
      }),
    );
  });

  test.each([[3], [0], [-1], [1005]])("refuses a message of length %d", (length) => {
    const bytes = Buffer.from([0x44, ...int32(length), 0, 0]);
    expect(() => read([bytes], 1000)).toThrow(ProtocolError);
    expect(() =>
      read(
        [...bytes].map((byte) => Buffer.from([byte])),
        1000,
      ),
    ).toThrow(ProtocolError);
  });

  test("takes a message of the greatest length", () => {
    expect(read([message("D", Buffer.alloc(1000))], 1000)).toHaveLength(1);
  });

  test("does not make room for what a length promises before it comes", () => {
    const before = process.memoryUsage().arrayBuffers;
    const readers = Array.from({ length: 50 }, () => {
      const reader = new MessageReader({ onMessage() {} }, 0x3fff_ffff);
      reader.push(Buffer.from([0x44, ...int32(0x3fff_ffff), 1, 2, 3]));
      return reader;
    });
    const grown = process.memoryUsage().arrayBuffers - before;
    expect(readers.map((reader) => reader.partialType)).toEqual(readers.map(() => 0x44));
    expect(grown).toBeLessThan(50 * 1024 * 1024);
  });

  test("says which message has begun and not ended", () => {
    const reader = new MessageReader({ onMessage() {} }, 1000);
    expect(reader.partialType).toBeUndefined();
    reader.push(Buffer.from("E"));
    expect(reader.partialType).toBe(0x45);
    reader.push(Buffer.from(int32(5)));
    reader.push(Buffer.from([0]));
    expect(reader.partialType).toBeUndefined();
  });

  test("hands on nothing after it was stopped, also in the middle of a chunk", () => {
    let count = 0;
    const handler = {
      onMessage() {
        count++;
        reader.stop();
      },
    };
    const reader: MessageReader = new MessageReader(handler, 1000);
    reader.push(Buffer.concat([message("1"), message("2")]));
    reader.push(message("3"));
    expect(count).toBe(1);
  });

  test("passes the rest of a chunk to a handler that took over in its middle", () => {
    const seen: string[] = [];
    const second = { onMessage: (type: number) => void seen.push(`second ${type}`) };
    const first = {
      onMessage: (type: number) => {
        seen.push(`first ${type}`);
        reader.handler = second;
      },
    };
    const reader: MessageReader = new MessageReader(first, 1000);
    reader.push(Buffer.concat([message("1"), message("2")]));
    expect(seen).toEqual(["first 49", "second 50"]);
  });
});

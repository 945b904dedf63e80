// What real servers once sent, in whatever pieces it arrives: the same messages, and the same
// fields in them as the manual says.

import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MessageReader } from "../../../packages/forebay/src/postgres/wire/proto/reader.ts";
import { decode, split } from "../../golden/decode.ts";
import { readGolden, streamOf } from "../../golden/file.ts";
import { read, readable } from "../../golden/read.ts";

const RECORDS = readGolden().map((golden) => ({ ...golden, stream: streamOf(golden) }));

/** The messages that the client finds, as `split` writes them. */
function messagesOf(chunks: readonly Buffer[]): { type: string; body: Buffer }[] {
  const messages: { type: string; body: Buffer }[] = [];
  const onMessage = (type: number, bytes: Buffer, start: number, end: number) => {
    messages.push({
      type: String.fromCharCode(type),
      body: Buffer.from(bytes.subarray(start, end)),
    });
  };
  const reader = new MessageReader({ onMessage }, 1 << 20);
  for (const chunk of chunks) {
    // Overwritten afterwards, so that whoever keeps a view of it is found out.
    const copy = Buffer.from(chunk);
    reader.push(copy);
    copy.fill(0xee);
  }
  expect(reader.partialType).toBeUndefined();
  return messages;
}

function cut(bytes: Buffer, at: readonly number[]): Buffer[] {
  const places = [...new Set(at.map((place) => place % bytes.length))].sort((a, b) => a - b);
  return [0, ...places].map((from, i) => bytes.subarray(from, places[i] ?? bytes.length));
}

/** Whether these are the same messages; much faster than a comparison in depth. */
function areSame(found: ReturnType<typeof split>, expected: ReturnType<typeof split>): boolean {
  return (
    found.length === expected.length &&
    expected.every(({ type, body }, i) => found[i]?.type === type && body.equals(found[i].body))
  );
}

test("the records hold every message that a server sends in a session", () => {
  const names = new Set(RECORDS.flatMap(({ messages }) => messages.map(([name]) => name)));
  expect([...names].sort()).toEqual([
    "Authentication",
    "BackendKeyData",
    "BindComplete",
    "CloseComplete",
    "CommandComplete",
    "CopyData",
    "CopyDone",
    "CopyInResponse",
    "CopyOutResponse",
    "DataRow",
    "EmptyQueryResponse",
    "ErrorResponse",
    "NegotiateProtocolVersion",
    "NoData",
    "NoticeResponse",
    "NotificationResponse",
    "ParameterDescription",
    "ParameterStatus",
    "ParseComplete",
    "PortalSuspended",
    "ReadyForQuery",
    "RowDescription",
  ]);
});

describe.each(RECORDS)("$file: $about", ({ stream, messages }) => {
  test("the bytes are what the file says of them", () => {
    expect(decode(stream)).toEqual(messages);
  });

  test("the messages are the same whole, in two pieces cut anywhere, and byte by byte", () => {
    const expected = split(stream);
    expect(messagesOf([stream])).toEqual(expected);
    expect(messagesOf(Array.from(stream, (byte) => Buffer.from([byte])))).toEqual(expected);
    for (let at = 1; at < stream.length; at++) {
      const found = messagesOf([stream.subarray(0, at), stream.subarray(at)]);
      expect(areSame(found, expected), `cut at ${at}`).toBe(true);
    }
  }, 30_000);

  test("the messages are the same in any pieces", () => {
    const expected = split(stream);
    const places = fc.array(fc.nat(stream.length), { maxLength: 40 });
    fc.assert(fc.property(places, (at) => areSame(messagesOf(cut(stream, at)), expected)));
  });

  test("the client reads the fields that the file names", () => {
    const seen: unknown[] = [];
    const expected: unknown[] = [];
    let at = 0;
    const onMessage = (_type: number, bytes: Buffer, start: number, end: number) => {
      const message = messages[at++];
      if (message === undefined) throw new Error("there is a message too many");
      const fields = read(message, bytes, start, end);
      if (fields === undefined) return;
      seen.push([message[0], fields]);
      expected.push([message[0], readable(message)]);
    };
    new MessageReader({ onMessage }, 1 << 20).push(stream);
    expect(at).toBe(messages.length);
    expect(seen).toEqual(expected);
  });
});

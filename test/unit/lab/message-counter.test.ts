// Counting the messages of a client, and what theory says about statements.

import { expect, test } from "vitest";
import {
  countedBetween,
  MessageReader,
} from "../../../packages/forebay-cli/src/lab/message-counter.ts";
import {
  expectedPrepared,
  zipfShares,
} from "../../../packages/forebay-cli/src/lab/scenarios/12-arms.ts";

function message(kind: string, body: number): Buffer {
  const bytes = Buffer.alloc(1 + 4 + body);
  bytes.write(kind, 0, "latin1");
  bytes.writeUInt32BE(4 + body, 1);
  return bytes;
}

function startup(body: number): Buffer {
  const bytes = Buffer.alloc(4 + body);
  bytes.writeUInt32BE(4 + body, 0);
  return bytes;
}

test("messages are counted alike however the bytes are cut", () => {
  const parts = ["p", "P", "B", "E", "S", "P", "S", "X"].map((kind, at) => message(kind, at * 7));
  const stream = Buffer.concat([startup(33), ...parts]);
  for (let size = 1; size <= stream.length; size++) {
    const kinds: string[] = [];
    const reader = new MessageReader((kind) => kinds.push(kind));
    for (let at = 0; at < stream.length; at += size) reader.take(stream.subarray(at, at + size));
    expect(kinds.join("")).toBe("pPBESPSX");
  }
});

test("counts of a stretch leave out what was said before it", () => {
  expect(countedBetween({ P: 3, S: 4 }, { P: 5, S: 4, E: 1 })).toEqual({ P: 2, S: 0, E: 1 });
});

test("with requests without end each session has all statements, with none it has none", () => {
  const shares = zipfShares(20);
  expect(shares.reduce((all, share) => all + share, 0)).toBeCloseTo(1, 12);
  expect(expectedPrepared(shares, 1e9, 40)).toBeCloseTo(800, 6);
  expect(expectedPrepared(shares, 0, 40)).toBe(0);
  expect(expectedPrepared(shares, 1, 1)).toBeCloseTo(1, 12);
});

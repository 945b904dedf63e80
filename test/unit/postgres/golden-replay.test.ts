// What real servers once sent, played to the client: however the bytes arrive, each call has the
// same outcome, and a session begins as it did then.

import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isPgError } from "../../../packages/forebay/src/postgres/index.ts";
import { CONVERSATIONS, type Told } from "../../golden/conversations.ts";
import { type Golden, readGolden, streamOf } from "../../golden/file.ts";
import { type Begun, playOpening } from "../../golden/opening.ts";
import { type Replay, replay } from "../../golden/replay.ts";
import { VALUES } from "../../golden/types-sql.ts";

const RECORDS = readGolden();
const OPENINGS = RECORDS.filter(({ opening }) => opening !== undefined);
const LATER = RECORDS.filter(({ opening }) => opening === undefined);

function conversationOf({ name }: Golden) {
  const conversation = CONVERSATIONS.find((one) => one.name === name);
  if (conversation === undefined) throw new Error(`there is no conversation ${name}`);
  return conversation;
}

/** Each flight by itself, cut at these places. */
function cut(golden: Golden, at: readonly number[]): Buffer[] {
  return golden.flights.flatMap(({ server }) => {
    const places = [...new Set(at.map((place) => place % server.length))].sort((a, b) => a - b);
    const from = [0, ...places.filter((place) => place > 0)];
    return from.map((start, i) => server.subarray(start, from[i + 1] ?? server.length));
  });
}

/** The outcomes without the stacks of errors, which say how the bytes came. */
function outcomes({ told }: Replay): unknown[] {
  return told.map((one) => ("error" in one ? { error: summary(one.error) } : one));
}

function summary(error: unknown): unknown {
  const { code, message } = error as { readonly code?: unknown; readonly message?: unknown };
  const fields = isPgError(error) ? Object.entries(error) : [];
  return { code, message, fields: fields.filter(([name]) => name !== "stack") };
}

function summaryOf({ facts, error }: Begun): unknown {
  if (facts === undefined) return { code: isPgError(error) ? error.code : error };
  const { processId, cancelKey, parameters } = facts;
  return { processId, key: cancelKey.toString("hex"), parameters: [...parameters] };
}

test("there is a record of each conversation, of the oldest and of the newest server", () => {
  for (const major of [14, 18]) {
    const names = LATER.filter(({ file }) => file.startsWith(`pg${major}/`)).map(
      ({ name }) => name,
    );
    expect(names.sort()).toEqual(CONVERSATIONS.map(({ name }) => name).sort());
  }
});

describe.each(LATER)("$file: $about", (golden) => {
  const conversation = conversationOf(golden);
  const flights = golden.flights.map(({ server }) => server);

  test("each call ends, and the connection is as the server left it", async () => {
    const whole = await replay(conversation, flights);
    expect(whole).toMatchObject({ isOver: true, thrown: undefined, isValid: false });
    expect(whole.wasLost).toBe(golden.name === "fatal-error");
    const after = whole.after as { readonly error?: { readonly code?: unknown } };
    expect(after.error?.code).toBe("BAD_CONN");
    const errors = golden.messages.filter(([name]) => name === "ErrorResponse");
    const told = whole.told.filter((one: Told) => "error" in one && isPgError(one.error));
    expect(told.length).toBeLessThanOrEqual(errors.length);
  });

  test("each call has the same outcome in any pieces, and byte by byte", async () => {
    const expected = outcomes(await replay(conversation, flights));
    const bytes = flights.flatMap((server) => Array.from(server, (byte) => Buffer.from([byte])));
    expect(outcomes(await replay(conversation, bytes))).toEqual(expected);
    const places = fc.array(fc.nat(20_000), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(places, async (at) => {
        expect(outcomes(await replay(conversation, cut(golden, at)))).toEqual(expected);
      }),
      { numRuns: 20 },
    );
  }, 30_000);
});

test.each(LATER.filter(({ name }) => name === "types"))(
  "$file: a value means the same in text and in binary",
  async (golden) => {
    const { told } = await replay(
      conversationOf(golden),
      golden.flights.map(({ server }) => server),
    );
    const [text, binary] = told as { readonly value: { readonly rows: unknown[][] } }[];
    expect(binary?.value.rows).toEqual(text?.value.rows);
    expect(text?.value.rows.map((row) => row.length)).toEqual([65, 65, 65]);
    expect(text?.value.rows[2]?.every((value) => value === null)).toBe(true);
  },
);

/** What has no binary format that is read comes as a number or as bytes within a row. */
const NOT_READ = /^(?:reg\w+|money|tsvector|tsquery)$/u;

test.each([14, 18])(
  "PostgreSQL %i: a value means the same alone and within a row",
  async (major) => {
    const [types, records] = await Promise.all(
      ["types", "records"].map(async (name) => {
        const golden = LATER.find(({ file }) => file === `pg${major}/${name}.json`);
        if (golden === undefined) throw new Error("there is no record");
        const flights = golden.flights.map(({ server }) => server);
        const { told } = await replay(conversationOf(golden), flights);
        return (told as { readonly value: unknown }[])[0]?.value;
      }),
    );
    const { rows } = types as { readonly rows: unknown[][] };
    const [{ rows: together }] = records as [{ readonly rows: Record<string, unknown[]>[] }];
    const isRead = (_value: unknown, at: number) => !NOT_READ.test(VALUES[at]?.[0] ?? "");
    expect(together[0]?.["usual"]?.filter(isRead)).toEqual(rows[0]?.filter(isRead));
    expect(together[0]?.["extreme"]?.filter(isRead)).toEqual(rows[1]?.filter(isRead));
    expect(rows[0]?.filter(isRead).length).toBeGreaterThan(55);
  },
);

describe.each(OPENINGS)("$file: $about", (golden) => {
  const opening = golden.opening ?? { user: "", minor: 0 };
  const stream = streamOf(golden);
  const fieldsOf = (wanted: string) =>
    golden.messages.filter(([name]) => name === wanted).map(([, fields]) => fields);

  test("ends as it did, in two pieces cut anywhere, and byte by byte", () => {
    const [refused] = fieldsOf("ErrorResponse");
    const [key] = fieldsOf("BackendKeyData");
    const parameters = fieldsOf("ParameterStatus").map(({ name, value }) => [name, value]);
    const ways = [[stream], Array.from(stream, (byte) => Buffer.from([byte]))];
    for (let at = 1; at < stream.length; at++) {
      ways.push([stream.subarray(0, at), stream.subarray(at)]);
    }
    const expected =
      refused === undefined
        ? { processId: key?.["process"], key: key?.["key"], parameters }
        : { code: refused["C"] };
    for (const chunks of ways) expect(summaryOf(playOpening(opening, chunks))).toEqual(expected);
  });

  test("agrees on the version of the protocol that the server chose", () => {
    const [chosen] = fieldsOf("NegotiateProtocolVersion");
    const minor = chosen === undefined ? opening.minor : Number(chosen["version"]) & 0xffff;
    const { facts } = playOpening(opening, [stream]);
    const expected = golden.name === "startup-refused" ? undefined : `3.${minor}`;
    expect(facts?.protocolVersion).toBe(expected);
  });
});

// The two state machines of a session, fed with bytes: whole, cut anywhere, and false.

import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isForebayError } from "../../../../packages/forebay/src/base/errors.ts";
import {
  isPgError,
  type PgNotice,
  ProtocolError,
} from "../../../../packages/forebay/src/postgres/wire/errors.ts";
import type { Notification } from "../../../../packages/forebay/src/postgres/wire/proto/backend.ts";
import { MessageReader } from "../../../../packages/forebay/src/postgres/wire/proto/reader.ts";
import {
  type RequestStep,
  Request,
  type RequestKind,
} from "../../../../packages/forebay/src/postgres/wire/request.ts";
import { RowShape } from "../../../../packages/forebay/src/postgres/wire/row-shape.ts";
import { Session } from "../../../../packages/forebay/src/postgres/wire/session.ts";
import {
  type SessionFacts,
  Startup,
  type StartupOptions,
} from "../../../../packages/forebay/src/postgres/wire/startup.ts";
import {
  complete,
  dataRow,
  int16,
  int32,
  message,
  ready,
  report,
  rowDescription,
  thrownBy,
  welcome,
} from "./messages.ts";

class Probe extends Request {
  readonly steps: RequestStep[] = [];
  settledCount = 0;

  override onSettled(): void {
    this.settledCount++;
  }

  override onStep(step: RequestStep): void {
    this.steps.push(step);
  }
}

const INT4 = 23;
const policy = { int8: "auto" } as const;
const int4Shape = new RowShape(
  [{ name: "n", tableOid: 0, typeOid: INT4, typeModifier: -1, format: 0 }],
  policy,
);

const int4Columns = rowDescription([["n", INT4]]);

function open() {
  const notices: PgNotice[] = [];
  const notifications: Notification[] = [];
  const refused: Request[] = [];
  const facts: SessionFacts = {
    parameters: new Map(),
    processId: 1,
    protocolVersion: "3.0",
    cancelKey: Buffer.alloc(4),
  };
  const session = new Session(facts, policy, {
    notice: (notice) => notices.push(notice),
    notification: (notification) => notifications.push(notification),
    refuseCopy: (request) => refused.push(request),
  });
  const reader = new MessageReader(session, 1 << 20);
  const ask = (kind: RequestKind, rowMode: "object" | "array" = "object") => {
    const request = new Probe(kind, rowMode, kind === "named" ? int4Shape : undefined);
    session.push(request);
    return request;
  };
  return { session, reader, ask, notices, notifications, refused };
}

/** Everything that a session can be told in one life, and what came of it. */
function live(cutBytes: (bytes: Buffer) => readonly Buffer[]) {
  const { session, reader, ask, notices, notifications } = open();
  const bytes = Buffer.concat([
    rowDescription([
      ["a", INT4],
      ["b", 25],
    ]),
    dataRow(["1", "x"]),
    dataRow([null, "é".repeat(500)]),
    complete("SELECT 2"),
    message("C", "SET"),
    ready(),
    report("NOTICE", "00000", "look", "N"),
    message("1"),
    message("2"),
    rowDescription([["n", INT4]]),
    dataRow(["5"]),
    report("ERROR", "22012", "no"),
    ready("E"),
    message("A", int32(9), "channel", "payload"),
    message("2"),
    dataRow(["7"]),
    complete("SELECT 1"),
    ready("T"),
    message("S", "TimeZone", "UTC"),
    message("1"),
    message("t", int16(2), int32(23), int32(25)),
    rowDescription([["p", 25]]),
    ready("I"),
    message("2"),
    message("n"),
    complete("INSERT 0 3"),
    ready("I"),
  ]);
  const requests = [
    ask("simple"),
    ask("unnamed"),
    ask("named", "array"),
    ask("prepare"),
    ask("portal"),
  ];
  for (const chunk of cutBytes(bytes)) reader.push(Buffer.from(chunk));
  return {
    results: requests.map((request) => ({
      rows: request.rows,
      rowsAffected: request.rowsAffected,
      command: request.command,
      failed: request.failed,
      error: isPgError(request.error) ? request.error.sqlstate : undefined,
      paramOids: request.paramOids,
      fields: request.fields,
      steps: request.steps,
      settledCount: request.settledCount,
    })),
    status: session.txStatus,
    head: session.head,
    zone: session.parameters.get("TimeZone"),
    notices: notices.map((notice) => notice.message),
    notifications,
  };
}

describe("a session", () => {
  const whole = live((bytes) => [bytes]);

  test("gives each request what is its own", () => {
    const [simple, unnamed, named, prepare, portal] = whole.results;
    // The last of two statements counts, which had no rows.
    expect(simple).toMatchObject({ rows: [], command: "SET", rowsAffected: 0, failed: false });
    expect(unnamed).toMatchObject({ rows: [], failed: true, error: "22012" });
    expect(named).toMatchObject({ rows: [[7]], command: "SELECT", rowsAffected: 1 });
    expect(prepare).toMatchObject({ paramOids: [23, 25], fields: [{ name: "p", typeOid: 25 }] });
    expect(portal).toMatchObject({
      command: "INSERT",
      rowsAffected: 3,
      steps: ["described", "ended"],
    });
    expect(whole.results.map((result) => result.settledCount)).toEqual([1, 1, 1, 1, 1]);
    expect(whole).toMatchObject({ status: "I", head: undefined, zone: "UTC", notices: ["look"] });
    expect(whole.notifications).toEqual([{ processId: 9, channel: "channel", payload: "payload" }]);
  });

  test("does not care how its bytes are cut", () => {
    expect(live((bytes) => Array.from(bytes, (byte) => Buffer.from([byte])))).toEqual(whole);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1 }), (sizes) => {
        const cut = (bytes: Buffer) => {
          const chunks: Buffer[] = [];
          for (let at = 0, i = 0; at < bytes.length; i++) {
            const size = sizes[i % sizes.length] ?? 1;
            chunks.push(bytes.subarray(at, at + size));
            at += size;
          }
          return chunks;
        };
        expect(live(cut)).toEqual(whole);
      }),
    );
  });

  test.each<[string, Buffer]>([
    ["a row", dataRow(["1"])],
    ["an end", complete("SELECT 1")],
    ["a readiness", ready()],
    ["a description", rowDescription([["a", 25]])],
    ["an unknown message", message("?")],
    ["a request for COPY data", message("G", [0], int16(0))],
  ])("that is idle is ended by %s", (_name, bytes) => {
    expect(() => open().reader.push(bytes)).toThrow(ProtocolError);
  });

  test("that is idle is ended by an error message, with that error", () => {
    const { reader } = open();
    expect(() => reader.push(report("FATAL", "57P01", "going down"))).toThrow("going down");
  });

  test("that is idle hears asides", () => {
    const { reader, session, notices, notifications } = open();
    reader.push(report("WARNING", "01000", "careful", "N"));
    reader.push(message("A", int32(1), "c", ""));
    reader.push(message("S", "a", "b"));
    expect([notices.length, notifications.length, session.parameters.get("a")]).toEqual([
      1,
      1,
      "b",
    ]);
  });

  test.each<[string, RequestKind, Buffer]>([
    ["a row without a description", "simple", dataRow(["1"])],
    ["a row while a statement is prepared", "prepare", dataRow(["1"])],
    ["an end while a statement is prepared", "prepare", complete("SELECT 1")],
    ["a description of what is known", "named", rowDescription([["a", 25]])],
    ["a second description", "unnamed", Buffer.concat([int4Columns, int4Columns])],
    ["a second description before an end", "sets", Buffer.concat([int4Columns, int4Columns])],
    ["a row of too few values", "named", dataRow([])],
    ["a row of too many values", "named", dataRow(["1", "2"])],
    ["a row that is cut off", "named", message("D", int16(1), int32(5), [1])],
    ["a row with a negative length", "named", message("D", int16(1), int32(-2))],
    ["a row with something behind it", "named", message("D", int16(1), int32(1), [49, 0])],
    ["an empty row message", "named", message("D")],
    ["a value that is not of its type", "named", dataRow(["x"])],
    ["a row after the end", "named", Buffer.concat([complete("SELECT 0"), dataRow(["1"])])],
    ["a suspension of what is no portal", "named", message("s")],
    ["a strange readiness", "simple", message("Z", [0x58])],
    ["readiness before an end", "simple", ready()],
    ["readiness after rows without an end", "named", Buffer.concat([dataRow(["1"]), ready()])],
    ["readiness in the middle of a portal", "portal", Buffer.concat([message("2"), ready()])],
    [
      "readiness after the second of two statements has begun",
      "sets",
      Buffer.concat([complete("SET"), rowDescription([["a", INT4]]), ready()]),
    ],
    ["an end without text", "simple", message("C")],
    [
      "a column of a third format",
      "simple",
      message("T", int16(1), "a", [
        ...int32(0),
        ...int16(0),
        ...int32(25),
        ...int16(0),
        ...int32(0),
        ...int16(2),
      ]),
    ],
    ["copied data that nobody asked for", "simple", message("d", [1])],
    ["replication", "simple", message("W", [0], int16(0))],
    ["an authentication request", "simple", message("R", int32(0))],
  ])("does not put up with %s", (_name, kind, bytes) => {
    const { reader, ask } = open();
    ask(kind);
    expect(() => reader.push(bytes)).toThrow(ProtocolError);
  });

  test("fails a request that copies in, and has the copying refused", () => {
    const { reader, ask, refused } = open();
    const request = ask("simple");
    reader.push(message("G", [0], int16(0)));
    expect(refused).toEqual([request]);
    reader.push(Buffer.concat([report("ERROR", "57014", "refused"), ready()]));
    expect(request.settledCount).toBe(1);
    expect(isForebayError(request.error) && request.error.code).toBe("ARGUMENT_INVALID");
  });

  test("passes over what a request that copies out gives", () => {
    const { reader, ask } = open();
    const request = ask("simple");
    reader.push(message("H", [0], int16(0)));
    reader.push(Buffer.concat([message("d", [1]), message("c"), complete("COPY 1"), ready()]));
    expect([request.failed, request.settledCount]).toEqual([true, 1]);
  });

  test("throws nothing but errors for what the server said, whatever it says", () => {
    const kinds: RequestKind[] = ["simple", "unnamed", "named", "prepare", "portal"];
    const body = fc.oneof(
      fc.uint8Array({ maxLength: 60 }),
      fc.constantFrom(
        ...[dataRow(["1"]), rowDescription([["a", INT4]]), complete("SELECT 1"), ready()].map(
          (bytes) => new Uint8Array(bytes.subarray(5)),
        ),
      ),
    );
    const one = fc.tuple(fc.constantFrom(..."123ACDEGHINRSTVWZcdnstv".split("")), body);
    const property = fc.property(
      fc.array(fc.constantFrom(...kinds), { maxLength: 3 }),
      fc.array(one, { maxLength: 12 }),
      (asked, said) => {
        const { reader, ask } = open();
        for (const kind of asked) ask(kind);
        const error = thrownBy(() => {
          for (const [type, bytes] of said) reader.push(message(type, Buffer.from(bytes)));
        });
        const known = error === undefined || isPgError(error) || error instanceof ProtocolError;
        expect(known).toBe(true);
      },
    );
    fc.assert(property, { numRuns: 2000 });
  });
});

function start(options: Partial<StartupOptions> = {}) {
  const sent: Buffer[] = [];
  const derived: [string, number][] = [];
  const facts: SessionFacts[] = [];
  const startup = new Startup(
    {
      user: "app",
      password: "secret",
      parameters: new Map([["user", "app"]]),
      channelBinding: "prefer",
      protocolMinors: { min: 0, max: 0 },
      encrypted: false,
      endPoint: undefined,
      nonce: "abc",
      ...options,
    },
    {
      send: (bytes) => sent.push(Buffer.from(bytes)),
      derive: (password, { iterations }) => derived.push([password, iterations]),
      notice: () => {},
      ready: (known) => facts.push(known),
    },
  );
  startup.begin();
  const reader = new MessageReader(startup, 1 << 16);
  return { startup, reader, sent, derived, facts };
}

const OK = message("R", int32(0));
const SASL = message("R", int32(10), "SCRAM-SHA-256", [0]);
const SASL_PLUS = message("R", int32(10), "SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", [0]);
const CHALLENGE = message("R", int32(11), Buffer.from("r=abcdef,s=AAAA,i=4096"));

describe("the beginning of a session", () => {
  test("tells what the server said about it", () => {
    const { reader, facts, sent } = start();
    for (const byte of welcome(77)) reader.push(Buffer.from([byte]));
    expect(sent).toHaveLength(1);
    expect(sent[0]?.toString("latin1", 8)).toBe("user\0app\0\0");
    expect(facts).toEqual([
      {
        processId: 77,
        protocolVersion: "3.0",
        cancelKey: Buffer.from(int32(99)),
        parameters: new Map([["server_version", "18.0"]]),
      },
    ]);
  });

  test("answers each kind of challenge in its way", () => {
    const cleartext = start();
    cleartext.reader.push(message("R", int32(3)));
    expect(cleartext.sent[1]?.toString("latin1", 5)).toBe("secret\0");
    const md5 = start();
    md5.reader.push(message("R", int32(5), [1, 2, 3, 4]));
    expect(md5.sent[1]?.toString("latin1", 5)).toMatch(/^md5[0-9a-f]{32}\0$/u);
    const scram = start();
    scram.reader.push(Buffer.concat([SASL, CHALLENGE]));
    expect(scram.sent[1]?.toString("latin1")).toContain("n,,n=,r=abc");
    expect(scram.derived).toEqual([["secret", 4096]]);
  });

  test.each<[string, Partial<StartupOptions>, Buffer, string]>([
    ["without TLS", {}, SASL_PLUS, "n,,"],
    ["with TLS and the offer", { encrypted: true, endPoint: Buffer.from("x") }, SASL_PLUS, "p="],
    ["with TLS and no offer", { encrypted: true, endPoint: Buffer.from("x") }, SASL, "y,,"],
    ["with a certificate that has no digest", { encrypted: true }, SASL_PLUS, "n,,"],
    [
      "when it is turned off",
      { encrypted: true, endPoint: Buffer.from("x"), channelBinding: "disable" },
      SASL_PLUS,
      "n,,",
    ],
  ])("binds SCRAM to the channel as it can: %s", (_name, options, offer, header) => {
    const { reader, sent } = start(options);
    reader.push(offer);
    const answer = sent[1]?.toString("latin1", 5) ?? "";
    // The mechanism, a zero byte, a length in four bytes, the message.
    expect(answer.slice(answer.indexOf("\0") + 5).startsWith(header)).toBe(true);
  });

  const required = {
    channelBinding: "require",
    encrypted: true,
    endPoint: Buffer.from("x"),
  } as const;

  test.each<[string, Partial<StartupOptions>, Buffer[], string]>([
    [
      "no password where one is asked for",
      { password: undefined },
      [message("R", int32(3))],
      "AUTH_FAILED",
    ],
    [
      "no password for md5",
      { password: undefined },
      [message("R", int32(5), [1, 2, 3, 4])],
      "AUTH_FAILED",
    ],
    ["no password for SCRAM", { password: undefined }, [SASL], "AUTH_FAILED"],
    ["trust where binding is required", required, [OK], "AUTH_FAILED"],
    ["cleartext where binding is required", required, [message("R", int32(3))], "AUTH_FAILED"],
    [
      "md5 where binding is required",
      required,
      [message("R", int32(5), [1, 2, 3, 4])],
      "AUTH_FAILED",
    ],
    ["plain SCRAM where binding is required", required, [SASL], "AUTH_FAILED"],
    ["SCRAM that is not carried through", {}, [SASL, OK], "AUTH_FAILED"],
    ["SCRAM that stops at the challenge", {}, [SASL, CHALLENGE, OK], "AUTH_FAILED"],
    ["mechanisms that are not known", {}, [message("R", int32(10), "OTHER", [0])], "AUTH_FAILED"],
    ["GSSAPI", {}, [message("R", int32(7))], "AUTH_FAILED"],
    ["a method that does not exist", {}, [message("R", int32(77))], "AUTH_FAILED"],
    ["a challenge out of turn", {}, [CHALLENGE], "PROTOCOL_ERROR"],
    [
      "two requests for a password",
      {},
      [message("R", int32(3)), message("R", int32(3))],
      "PROTOCOL_ERROR",
    ],
    ["a request after the welcome", {}, [OK, message("R", int32(3))], "PROTOCOL_ERROR"],
    ["readiness without a welcome", {}, [ready()], "PROTOCOL_ERROR"],
    ["a short md5 challenge", {}, [message("R", int32(5), [1])], "PROTOCOL_ERROR"],
    ["a row", {}, [OK, dataRow(["1"])], "PROTOCOL_ERROR"],
    ["a version nobody asked for", {}, [message("v", int32(0x30002), int32(0))], "PROTOCOL_ERROR"],
  ])("does not put up with %s", (_name, options, said, code) => {
    const { reader, facts } = start(options);
    expect(() => reader.push(Buffer.concat(said))).toThrow(`[${code}]`);
    expect(facts).toEqual([]);
  });

  test("ends with the server's error", () => {
    expect(() => start().reader.push(report("FATAL", "28P01", "no entry"))).toThrow("no entry");
  });

  test("takes a negotiated version that it can speak, and a key of any length", () => {
    const { reader, facts } = start();
    reader.push(message("v", int32(0x30000), int32(0)));
    reader.push(Buffer.concat([OK, message("K", int32(1), Buffer.alloc(256, 3)), ready()]));
    expect(facts[0]?.cancelKey).toEqual(Buffer.alloc(256, 3));
  });

  test("throws nothing but known errors, whatever the server says", () => {
    const one = fc.tuple(fc.constantFrom(..."RSKEZNv".split("")), fc.uint8Array({ maxLength: 40 }));
    const property = fc.property(fc.array(one, { maxLength: 8 }), (said) => {
      const error = thrownBy(() => {
        const { reader } = start();
        for (const [type, bytes] of said) reader.push(message(type, Buffer.from(bytes)));
      });
      const expected = isPgError(error) || isForebayError(error) || error instanceof ProtocolError;
      expect(error === undefined || expected).toBe(true);
    });
    fc.assert(property, { numRuns: 2000 });
  });
});

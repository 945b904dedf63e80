// What an error means for the connection and for another try.

import { describe, expect, test } from "vitest";
import { ForebayError, UsageError } from "../../../../packages/forebay/src/base/errors.ts";
import { BadConnError } from "../../../../packages/forebay/src/driver/errors.ts";
import { readMessageFields } from "../../../../packages/forebay/src/postgres/wire/proto/backend.ts";
import {
  classify,
  ConnectionLostError,
  isPgError,
  mayRetryConnect,
  PgError,
  ProtocolError,
} from "../../../../packages/forebay/src/postgres/wire/errors.ts";
import { report } from "./messages.ts";

function pgError(sqlstate: string, severity = "ERROR", routine?: string): PgError {
  const bytes = report(severity, sqlstate, "text");
  return new PgError({ ...readMessageFields(bytes, 5, bytes.length), routine });
}

function socketError(code: string): Error {
  return Object.assign(new Error(code), { code });
}

function operating(code: ForebayError["code"], cause?: unknown): ForebayError {
  return new ForebayError("operating", code, "text", { retryable: true, cause });
}

test.each<[string, unknown, ReturnType<typeof classify>]>([
  ["a syntax error", pgError("42601"), "keep"],
  ["a unique violation", pgError("23505"), "keep"],
  ["a division by zero", pgError("22012"), "keep"],
  ["a cancelled statement", pgError("57014"), "keep"],
  ["a statement after a failed one", pgError("25P02"), "keep"],
  ["a missing privilege of a statement", pgError("42501"), "keep"],
  ["a wrong number of arguments", pgError("08P01"), "keep"],
  ["an ordinary unsupported feature", pgError("0A000"), "keep"],
  ["a serialisation failure", pgError("40001"), "retry-transaction"],
  ["a deadlock", pgError("40P01"), "retry-transaction"],
  ["an unknown statement", pgError("26000"), "statement-invalid"],
  ["a statement that exists", pgError("42P05"), "statement-invalid"],
  ["an outdated plan", pgError("0A000", "ERROR", "RevalidateCachedQuery"), "statement-invalid"],
  ["a server that became read-only", pgError("25006"), "read-only"],
  ["a shutdown", pgError("57P01", "FATAL"), "evict"],
  ["a crash", pgError("57P02", "FATAL"), "evict"],
  ["a time-out of an idle transaction", pgError("25P03", "FATAL"), "evict"],
  ["a lost connection of the server's", pgError("08006"), "evict"],
  ["a starting server", pgError("57P03", "FATAL"), "evict"],
  ["too many connections", pgError("53300", "FATAL"), "evict"],
  ["a wrong password", pgError("28P01", "FATAL"), "fatal-connect"],
  ["a missing line of pg_hba.conf", pgError("28000", "FATAL"), "fatal-connect"],
  ["a missing database", pgError("3D000", "FATAL"), "fatal-connect"],
  ["a database that may not be entered", pgError("42501", "FATAL"), "fatal-connect"],
  ["a reset", socketError("ECONNRESET"), "evict"],
  ["a broken pipe", socketError("EPIPE"), "evict"],
  ["a protocol error", new ProtocolError("text"), "evict"],
  ["a bad connection", new BadConnError("text"), "evict"],
  ["a lost connection", new ConnectionLostError("text"), "evict"],
  ["an unknown outcome", operating("OUTCOME_UNKNOWN"), "evict"],
  ["no TLS", operating("TLS_UNAVAILABLE"), "fatal-connect"],
  ["a bad certificate", operating("TLS_FAILED"), "fatal-connect"],
  ["a server without the password", operating("AUTH_FAILED"), "fatal-connect"],
  ["a bad option", new UsageError("OPTION_INVALID", "text"), "fatal-connect"],
  ["a bad argument", new UsageError("ARGUMENT_INVALID", "text"), "keep"],
  ["a value out of range", operating("VALUE_OUT_OF_RANGE"), "keep"],
  ["the reason of a signal", new Error("whatever"), "keep"],
  ["a thing that is no error", "text", "keep"],
])("%s means: %s", (_name, error, verdict) => {
  expect(classify(error)).toBe(verdict);
});

describe("dialing again", () => {
  test.each<[string, unknown, boolean]>([
    ["a refused connection", operating("CONNECT_FAILED", socketError("ECONNREFUSED")), true],
    ["a reset", operating("CONNECT_FAILED", socketError("ECONNRESET")), true],
    ["a time-out", operating("CONNECT_TIMEOUT"), true],
    ["a name that may resolve later", operating("CONNECT_FAILED", socketError("EAI_AGAIN")), true],
    ["a starting server", pgError("57P03", "FATAL"), true],
    ["too many connections", pgError("53300", "FATAL"), true],
    ["a protocol error", new ProtocolError("text"), true],
    ["a thing that is no error", undefined, true],
    ["a name that does not resolve", operating("CONNECT_FAILED", socketError("ENOTFOUND")), false],
    ["a wrong password", pgError("28P01", "FATAL"), false],
    ["a missing database", pgError("3D000", "FATAL"), false],
    ["a missing privilege", pgError("42501", "FATAL"), false],
    ["no TLS", operating("TLS_UNAVAILABLE"), false],
    ["a bad certificate", operating("TLS_FAILED"), false],
    ["a bad option", new UsageError("OPTION_INVALID", "text"), false],
  ])("after %s may help: %s", (_name, error, expected) => {
    expect(mayRetryConnect(error)).toBe(expected);
  });
});

test("an error of the server is known by its mark, also from another copy of the library", () => {
  const copy = Object.defineProperty(new Error("x"), Symbol.for("forebay.postgres.error"), {
    value: true,
  });
  expect([isPgError(pgError("42601")), isPgError(copy)]).toEqual([true, true]);
  expect([isPgError(new Error("x")), isPgError(null), isPgError("x")]).toEqual([
    false,
    false,
    false,
  ]);
});

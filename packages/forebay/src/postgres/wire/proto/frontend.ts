// The client's messages. Each function appends one message to a Writer; none knows what was sent
// before.

import { argumentError } from "../../../driver/args.ts";
import { paramFormat, type TypePolicy, writeParam } from "../types/index.ts";
import { UsageError } from "../../../base/errors.ts";
import type { Writer } from "./writer.ts";

const PROTOCOL_3 = 0x0003_0000;
const SSL_REQUEST_CODE = 80_877_103;
const CANCEL_REQUEST_CODE = 80_877_102;

const NO_OIDS: readonly number[] = [];

/** The most parameters that a statement can have: their number travels in 16 bits. */
export const PARAMS_MAX = 65_535;

/** SSLRequest: asks whether the server speaks TLS. */
export const SSL_REQUEST: Buffer = Buffer.from([0, 0, 0, 8, ...int32Bytes(SSL_REQUEST_CODE)]);

/** Sync. */
export const SYNC: Buffer = Buffer.from([0x53, 0, 0, 0, 4]);

/** Execute of the unnamed portal to its end. */
export const EXECUTE: Buffer = Buffer.from([0x45, 0, 0, 0, 9, 0, 0, 0, 0, 0]);

/** The same, then Sync. */
export const EXECUTE_SYNC: Buffer = Buffer.from([...EXECUTE, ...SYNC]);

/** Describe of the unnamed portal. */
export const DESCRIBE_PORTAL: Buffer = Buffer.from([0x44, 0, 0, 0, 6, 0x50, 0]);

/** Flush: the server is to send what it has to say so far. */
export const FLUSH: Buffer = Buffer.from([0x48, 0, 0, 0, 4]);

/** CopyDone. */
export const COPY_DONE: Buffer = Buffer.from([0x63, 0, 0, 0, 4]);

/** Terminate. */
export const TERMINATE: Buffer = Buffer.from([0x58, 0, 0, 0, 4]);

function int32Bytes(value: number): number[] {
  return [value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff];
}

/**
 * StartupMessage that asks for this minor version of protocol 3. `parameters` are sent as they are:
 * `user` must be among them.
 */
export function writeStartup(
  writer: Writer,
  minorVersion: number,
  parameters: ReadonlyMap<string, string>,
): void {
  const start = writer.mark();
  writer.int32(0);
  writer.int32(PROTOCOL_3 + minorVersion);
  for (const [name, value] of parameters) {
    writer.cstring(name);
    writer.cstring(value);
  }
  writer.int8(0);
  writer.patchInt32(start, writer.length - start);
}

/** CancelRequest, which goes alone over a connection of its own. */
export function writeCancel(writer: Writer, processId: number, secret: Uint8Array): void {
  writer.int32(12 + secret.length);
  writer.int32(CANCEL_REQUEST_CODE);
  writer.int32(processId);
  writer.bytes(secret);
}

/** PasswordMessage, also the answer to an md5 challenge. */
export function writePassword(writer: Writer, password: string): void {
  const start = open(writer, 0x70);
  writer.cstring(password);
  close(writer, start);
}

/** SASLInitialResponse. */
export function writeSaslInitial(writer: Writer, mechanism: string, response: string): void {
  const start = open(writer, 0x70);
  writer.cstring(mechanism);
  writer.int32(Buffer.byteLength(response));
  writer.utf8(response);
  close(writer, start);
}

/** SASLResponse. */
export function writeSaslResponse(writer: Writer, response: string): void {
  const start = open(writer, 0x70);
  writer.utf8(response);
  close(writer, start);
}

/** Query: the simple protocol, for one or several statements. */
export function writeQuery(writer: Writer, sql: string): void {
  const start = open(writer, 0x51);
  writer.cstring(sql);
  close(writer, start);
}

/**
 * Parse, with the types of all parameters left to the server unless they are given. An empty `name`
 * is the unnamed statement.
 */
export function writeParse(
  writer: Writer,
  name: string,
  sql: string,
  paramOids: readonly number[] = NO_OIDS,
): void {
  const start = open(writer, 0x50);
  writer.cstring(name);
  writer.cstring(sql);
  writer.int16(paramOids.length);
  for (const oid of paramOids) writer.int32(oid);
  close(writer, start);
}

/** Describe of a statement. */
export function writeDescribeStatement(writer: Writer, name: string): void {
  const start = open(writer, 0x44);
  writer.int8(0x53);
  writer.cstring(name);
  close(writer, start);
}

/** Close of a statement. */
export function writeCloseStatement(writer: Writer, name: string): void {
  const start = open(writer, 0x43);
  writer.int8(0x53);
  writer.cstring(name);
  close(writer, start);
}

/**
 * Bind of the unnamed portal.
 *
 * `paramOids` are the types of the parameters, `undefined` where the server has not told them.
 * `types` are what the connection knows of them.
 * `resultFormats` is the end of the message: see `resultFormatBytes`. Throws `UsageError` of code
 * `ARGUMENT_INVALID` for an argument that cannot be sent; the caller then truncates the writer.
 */
export function writeBind(
  writer: Writer,
  statement: string,
  args: readonly unknown[],
  paramOids: readonly number[] | undefined,
  resultFormats: Uint8Array,
  types?: TypePolicy,
): void {
  const count = args.length;
  if (count > PARAMS_MAX) {
    throw new UsageError(
      "ARGUMENT_INVALID",
      `a statement takes at most ${PARAMS_MAX} parameters, not ${count}: pass arrays instead`,
    );
  }
  const start = open(writer, 0x42);
  writer.int8(0);
  writer.utf8(statement);
  writer.int8(0);
  writer.int16(count);
  for (let i = 0; i < count; i++) writer.int16(paramFormat(args[i], paramOids?.[i] ?? 0, types));
  writer.int16(count);
  let at = 0;
  try {
    for (; at < count; at++) writeParam(writer, args[at], paramOids?.[at] ?? 0, types);
  } catch (error) {
    throw argumentError(at, error);
  }
  writer.bytes(resultFormats);
  close(writer, start);
}

/** The end of a Bind that asks for every column as text. */
export const ALL_TEXT: Uint8Array = new Uint8Array([0, 0]);

/** The end of a Bind that asks for each column in its own format. */
export function resultFormatBytes(formats: readonly (0 | 1)[]): Uint8Array {
  const first = formats[0];
  if (first === undefined) return ALL_TEXT;
  const same = formats.every((format) => format === first);
  return new Uint8Array(
    same
      ? [0, 1, 0, first]
      : [formats.length >>> 8, formats.length & 0xff, ...formats.flatMap((format) => [0, format])],
  );
}

/** Execute of the unnamed portal, at most `rowsMax` rows, and Flush: the portal stays open. */
export function writeExecuteFlush(writer: Writer, rowsMax: number): void {
  writer.int8(0x45);
  writer.int32(9);
  writer.int8(0);
  writer.int32(rowsMax);
  writer.int8(0x48);
  writer.int32(4);
}

/** CopyData: a piece of what is copied; where it is cut does not matter. */
export function writeCopyData(writer: Writer, data: Uint8Array | string): void {
  const start = open(writer, 0x64);
  if (typeof data === "string") writer.utf8(data);
  else writer.bytes(data);
  close(writer, start);
}

/** CopyFail. */
export function writeCopyFail(writer: Writer, reason: string): void {
  const start = open(writer, 0x66);
  writer.cstring(reason);
  close(writer, start);
}

/** Begins a message; returns where its length belongs. */
function open(writer: Writer, type: number): number {
  writer.int8(type);
  const start = writer.mark();
  writer.int32(0);
  return start;
}

function close(writer: Writer, start: number): void {
  writer.patchInt32(start, writer.length - start);
}

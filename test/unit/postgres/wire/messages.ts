// The server's messages as bytes, for tests that play the server.

/** A message: its type and its body. */
export function message(type: string, ...body: (string | number[] | Buffer)[]): Buffer {
  const parts = body.map((part) =>
    typeof part === "string" ? Buffer.from(`${part}\0`) : Buffer.from(part),
  );
  const bytes = Buffer.concat([Buffer.from(type), Buffer.alloc(4), ...parts]);
  bytes.writeInt32BE(bytes.length - 1, 1);
  return bytes;
}

/** Two bytes. */
export function int16(value: number): number[] {
  return [(value >> 8) & 0xff, value & 0xff];
}

/** Four bytes. */
export function int32(value: number): number[] {
  return [(value >>> 24) & 0xff, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff];
}

/** A RowDescription of text columns of the given types. */
export function rowDescription(columns: readonly (readonly [name: string, oid: number])[]): Buffer {
  return message(
    "T",
    int16(columns.length),
    ...columns.flatMap(([name, oid]) => [
      name,
      [...int32(0), ...int16(0), ...int32(oid), ...int16(-1), ...int32(-1), ...int16(0)],
    ]),
  );
}

/** A DataRow of text values. */
export function dataRow(values: readonly (string | null)[]): Buffer {
  return message(
    "D",
    int16(values.length),
    ...values.map((value) =>
      value === null
        ? Buffer.from(int32(-1))
        : Buffer.concat([Buffer.from(int32(Buffer.byteLength(value))), Buffer.from(value)]),
    ),
  );
}

/** A CommandComplete. */
export function complete(tag: string): Buffer {
  return message("C", tag);
}

/** A ReadyForQuery. */
export function ready(status: "I" | "T" | "E" = "I"): Buffer {
  return message("Z", Buffer.from(status));
}

/** An ErrorResponse, or a NoticeResponse. */
export function report(severity: string, sqlstate: string, text: string, type = "E"): Buffer {
  return message(type, `S${severity}`, `V${severity}`, `C${sqlstate}`, `M${text}`, [0]);
}

/** AuthenticationOk, BackendKeyData and ReadyForQuery: the shortest welcome. */
export function welcome(processId = 7): Buffer {
  return Buffer.concat([
    message("R", int32(0)),
    message("S", "server_version", [...Buffer.from("18.0\0")]),
    message("K", int32(processId), int32(99)),
    ready(),
  ]);
}

/** A reply to `SELECT value AS v`. */
export function reply(value: string): Buffer {
  return Buffer.concat([
    rowDescription([["v", 25]]),
    dataRow([value]),
    complete("SELECT 1"),
    ready(),
  ]);
}

/** What `run` throws; `undefined` if it throws nothing. */
export function thrownBy(run: () => void): unknown {
  try {
    run();
    return undefined;
  } catch (error) {
    return error;
  }
}

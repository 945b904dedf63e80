// The server's messages taken apart after the chapter "Message Formats" of PostgreSQL's manual, and
// by nothing of the client's own, so that the two can be compared.

/** A message: its name in the manual, and its fields. */
export type Decoded = readonly [name: string, fields: Readonly<Record<string, unknown>>];

/** A value of a row: text where it reads as text, else hexadecimal digits behind `\x`. */
export type Cell = string | null;

class Cursor {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  int8(): number {
    return this.bytes(1).readUInt8();
  }

  int16(): number {
    return this.bytes(2).readInt16BE();
  }

  int32(): number {
    return this.bytes(4).readInt32BE();
  }

  oid(): number {
    return this.bytes(4).readUInt32BE();
  }

  string(): string {
    const end = this.#bytes.indexOf(0, this.#at);
    const text = this.bytes(end - this.#at).toString();
    this.#at += 1;
    return text;
  }

  bytes(count: number): Buffer {
    const from = this.#at;
    this.#at += count;
    if (count < 0 || this.#at > this.#bytes.length) throw new Error("a message is too short");
    return this.#bytes.subarray(from, this.#at);
  }

  rest(): Buffer {
    return this.bytes(this.#bytes.length - this.#at);
  }

  list<T>(count: number, read: () => T): T[] {
    return Array.from({ length: count }, read);
  }
}

type Fields = Record<string, unknown>;

const NONE = (): Fields => ({});

function copyResponse(at: Cursor): Fields {
  return { format: at.int8(), columns: at.list(at.int16(), () => at.int16()) };
}

/** The fields of an error or a notice, by their letters. */
function report(at: Cursor): Fields {
  const fields: Record<string, string> = {};
  for (let letter = at.int8(); letter !== 0; letter = at.int8()) {
    fields[String.fromCharCode(letter)] = at.string();
  }
  return fields;
}

const AUTHENTICATION: Readonly<Record<number, (at: Cursor) => Fields>> = {
  0: () => ({ method: "Ok" }),
  3: () => ({ method: "CleartextPassword" }),
  5: (at) => ({ method: "MD5Password", salt: at.bytes(4).toString("hex") }),
  10: (at) => {
    const mechanisms: string[] = [];
    for (let name = at.string(); name !== ""; name = at.string()) mechanisms.push(name);
    return { method: "SASL", mechanisms };
  },
  11: (at) => ({ method: "SASLContinue", data: at.rest().toString() }),
  12: (at) => ({ method: "SASLFinal", data: at.rest().toString() }),
};

function column(at: Cursor): Fields {
  return {
    name: at.string(),
    table: at.oid(),
    attribute: at.int16(),
    type: at.oid(),
    size: at.int16(),
    modifier: at.int32(),
    format: at.int16(),
  };
}

function cell(at: Cursor): Cell {
  const length = at.int32();
  return length === -1 ? null : cellOf(at.bytes(length));
}

/** How a value is written down. */
export function cellOf(bytes: Buffer): string {
  const text = bytes.toString();
  // oxlint-disable-next-line no-control-regex
  const isText = Buffer.from(text).equals(bytes) && !/[\0-\x1f\x7f]|^\\x/u.test(text);
  return isText ? text : `\\x${bytes.toString("hex")}`;
}

const FORMATS: Readonly<Record<string, readonly [name: string, read: (at: Cursor) => Fields]>> = {
  R: ["Authentication", (at) => AUTHENTICATION[at.int32()]?.(at) ?? { method: "unknown" }],
  K: ["BackendKeyData", (at) => ({ process: at.int32(), key: at.rest().toString("hex") })],
  2: ["BindComplete", NONE],
  3: ["CloseComplete", NONE],
  C: ["CommandComplete", (at) => ({ tag: at.string() })],
  d: ["CopyData", (at) => ({ data: cellOf(at.rest()) })],
  c: ["CopyDone", NONE],
  G: ["CopyInResponse", copyResponse],
  H: ["CopyOutResponse", copyResponse],
  D: ["DataRow", (at) => ({ values: at.list(at.int16(), () => cell(at)) })],
  I: ["EmptyQueryResponse", NONE],
  E: ["ErrorResponse", report],
  v: [
    "NegotiateProtocolVersion",
    (at) => ({ version: at.int32(), options: at.list(at.int32(), () => at.string()) }),
  ],
  n: ["NoData", NONE],
  N: ["NoticeResponse", report],
  A: [
    "NotificationResponse",
    (at) => ({ process: at.int32(), channel: at.string(), payload: at.string() }),
  ],
  t: ["ParameterDescription", (at) => ({ types: at.list(at.int16(), () => at.oid()) })],
  S: ["ParameterStatus", (at) => ({ name: at.string(), value: at.string() })],
  1: ["ParseComplete", NONE],
  s: ["PortalSuspended", NONE],
  Z: ["ReadyForQuery", (at) => ({ status: String.fromCharCode(at.int8()) })],
  T: ["RowDescription", (at) => ({ columns: at.list(at.int16(), () => column(at)) })],
};

/** The messages that a stream consists of: type byte and body. */
export function split(stream: Buffer): { readonly type: string; readonly body: Buffer }[] {
  const messages: { type: string; body: Buffer }[] = [];
  const at = new Cursor(stream);
  while (!at.isAtEnd) {
    const type = String.fromCharCode(at.int8());
    messages.push({ type, body: at.bytes(at.int32() - 4) });
  }
  return messages;
}

/** Takes a whole stream apart. Throws for anything that the manual does not have. */
export function decode(stream: Buffer): Decoded[] {
  return split(stream).map(({ type, body }) => {
    const format = FORMATS[type];
    if (format === undefined) throw new Error(`the manual has no message ${type}`);
    const at = new Cursor(body);
    const fields = format[1](at);
    if (!at.isAtEnd) throw new Error(`${format[0]} is too long`);
    return [format[0], fields];
  });
}

const CLIENT_NAMES: Readonly<Record<string, string>> = {
  B: "Bind",
  C: "Close",
  d: "CopyData",
  c: "CopyDone",
  f: "CopyFail",
  D: "Describe",
  E: "Execute",
  H: "Flush",
  p: "Password",
  P: "Parse",
  Q: "Query",
  S: "Sync",
  X: "Terminate",
};

/** The names of the client's messages, for people. */
export function clientNames(stream: Buffer): string {
  return split(stream)
    .map(({ type }) => CLIENT_NAMES[type] ?? type)
    .join(" ");
}

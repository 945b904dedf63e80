// What the client's own readers say of a server's message, in the words of decode.ts.

import {
  BodyReader,
  readMessageFields,
  readNotification,
  readParameterDescription,
  readRowDescription,
  readTagCommand,
  readTagCount,
  readTxStatus,
} from "../../packages/forebay/src/postgres/wire/proto/backend.ts";
import { RowShape } from "../../packages/forebay/src/postgres/wire/row-shape.ts";
import { cellOf, type Decoded } from "./decode.ts";

type Fields = Readonly<Record<string, unknown>>;

/** The letters of the fields of an error, by the client's names for them. */
const LETTERS = {
  severity: "V",
  sqlstate: "C",
  message: "M",
  detail: "D",
  hint: "H",
  position: "P",
  internalPosition: "p",
  internalQuery: "q",
  where: "W",
  schema: "s",
  table: "t",
  column: "c",
  dataType: "d",
  constraint: "n",
  file: "F",
  line: "L",
  routine: "R",
} as const;

function report(bytes: Buffer, start: number, end: number): Fields {
  const fields = readMessageFields(bytes, start, end);
  const told = Object.entries(LETTERS)
    .map(([name, letter]) => [letter, fields[name as keyof typeof LETTERS]] as const)
    .filter(([, value]) => value !== undefined)
    .map(([letter, value]) => [letter, String(value)]);
  return Object.fromEntries(told) as Fields;
}

/** A row whose columns are all of a type that nobody knows, so that bytes come out. */
function row(bytes: Buffer, start: number, end: number, count: number): Fields {
  const field = { name: "", tableOid: 0, typeOid: 1, typeModifier: -1, format: 1 as const };
  const shape = new RowShape(
    Array.from({ length: count }, () => field),
    { int8: "auto" },
  );
  const values = shape.array(bytes, start, end) as (Buffer | null)[];
  return { values: values.map((value) => (value === null ? null : cellOf(value))) };
}

type Read = (bytes: Buffer, start: number, end: number, expected: Fields) => Fields;

const READERS: Readonly<Record<string, Read>> = {
  BackendKeyData: (bytes, start, end) => {
    const reader = new BodyReader(bytes, start, end);
    return { process: reader.int32(), key: reader.rest().toString("hex") };
  },
  CommandComplete: (bytes, start, end) => {
    const count = readTagCount(bytes, start, end);
    return { command: readTagCommand(bytes, start, end), count };
  },
  DataRow: (bytes, start, end, { values }) =>
    row(bytes, start, end, (values as readonly unknown[]).length),
  ErrorResponse: report,
  NoticeResponse: report,
  NotificationResponse: (bytes, start, end) => {
    const { processId, channel, payload } = readNotification(bytes, start, end);
    return { process: processId, channel, payload };
  },
  ParameterDescription: (bytes, start, end) => ({
    types: readParameterDescription(bytes, start, end),
  }),
  ParameterStatus: (bytes, start, end) => {
    const reader = new BodyReader(bytes, start, end);
    return { name: reader.cstring(), value: reader.cstring() };
  },
  ReadyForQuery: (bytes, start, end) => ({ status: readTxStatus(bytes, start, end) }),
  RowDescription: (bytes, start, end) => ({
    columns: readRowDescription(bytes, start, end).map((field) => ({
      name: field.name,
      table: field.tableOid,
      type: field.typeOid,
      modifier: field.typeModifier,
      format: field.format,
    })),
  }),
};

/** What the client reads; `undefined` for a message of which it reads nothing by itself. */
export function read(
  [name, fields]: Decoded,
  bytes: Buffer,
  start: number,
  end: number,
): Fields | undefined {
  return READERS[name]?.(bytes, start, end, fields);
}

/** As much of a record's message as the client reads. */
export function readable([name, fields]: Decoded): Fields {
  if (name === "CommandComplete") {
    const [command, ...numbers] = String(fields["tag"]).split(/ (?=[0-9])/u);
    const count = numbers.at(-1);
    return { command, count: count === undefined ? undefined : Number(count) };
  }
  if (name === "ErrorResponse" || name === "NoticeResponse") {
    return Object.fromEntries(Object.entries(fields).filter(([letter]) => letter !== "S"));
  }
  if (name !== "RowDescription") return fields;
  const columns = fields["columns"] as readonly Record<string, unknown>[];
  return {
    columns: columns.map(({ name, table, type, modifier, format }) => {
      return { name, table, type, modifier, format };
    }),
  };
}

// The client from its reader of messages up to its calls, fed with damaged records of what servers
// once said.

import { type Random, randomBelow } from "../../packages/forebay/src/base/random.ts";
import { rowDecoder } from "../../packages/forebay/src/postgres/wire/copy-decode.ts";
import {
  type FieldDescription,
  MESSAGE,
  readMessageFields,
  readNotification,
  readParameterDescription,
  readRowDescription,
  readTagCommand,
  readTagCount,
  readTxStatus,
} from "../../packages/forebay/src/postgres/wire/proto/backend.ts";
import { MessageReader } from "../../packages/forebay/src/postgres/wire/proto/reader.ts";
import { RowShape } from "../../packages/forebay/src/postgres/wire/row-shape.ts";
import { CONVERSATIONS, type Told } from "../golden/conversations.ts";
import { type Golden, readGolden } from "../golden/file.ts";
import { playOpening } from "../golden/opening.ts";
import { replay } from "../golden/replay.ts";
import type { Input } from "./input.ts";
import { complaintAbout, describe, isBreach } from "./judge.ts";
import { cut, damageFlights, pick } from "./mutate.ts";

/** A record, its flights as messages. */
interface Record {
  readonly file: string;
  readonly golden: Golden;
  readonly flights: readonly (readonly Buffer[])[];
}

function messagesIn(flight: Buffer): Buffer[] {
  const messages: Buffer[] = [];
  for (let at = 0; at < flight.length; ) {
    const end = at + 1 + flight.readInt32BE(at + 1);
    messages.push(flight.subarray(at, end));
    at = end;
  }
  return messages;
}

const RECORDS: readonly Record[] = readGolden().map((golden) => ({
  file: golden.file,
  golden,
  flights: golden.flights.map(({ server }) => messagesIn(server)),
}));
const OPENINGS = RECORDS.filter(({ golden }) => golden.opening !== undefined);
const LATER = RECORDS.filter(({ golden }) => golden.opening === undefined);
const MESSAGES = RECORDS.flatMap(({ flights }) => flights.flat());

function damaged(random: Random, { flights }: Record): Buffer[] {
  return damageFlights(random, flights, MESSAGES)
    .map((flight) => Buffer.concat(flight))
    .flatMap((flight) => cut(random, flight));
}

/** A damaged record for a target. */
export function streamInput(random: Random, target: "reader" | "opening" | "live"): Input {
  const record = pick(random, target === "opening" ? OPENINGS : LATER);
  return { target, name: record.file, chunks: damaged(random, record) };
}

function recordOf(file: string): Record {
  const record = RECORDS.find((one) => one.file === file);
  if (record === undefined) throw new Error(`there is no record ${file}`);
  return record;
}

/** What the reader of messages accepts here; far more than any record has. */
const BODY_BYTES_MAX = 1 << 24;
const AUTO = { int8: "auto" } as const;

/** Reads every message in each way in which the client might. */
class Reading {
  #fields: FieldDescription[] = [];
  #binary = rowDecoder("binary", [], AUTO);

  onMessage(type: number, bytes: Buffer, start: number, end: number): void {
    readTagCount(bytes, start, end);
    switch (type) {
      case MESSAGE.rowDescription:
        this.#fields = readRowDescription(bytes, start, end);
        this.#binary = rowDecoder("binary", this.#fields, AUTO);
        return;
      case MESSAGE.dataRow:
        this.#onRow(bytes, start, end);
        return;
      case MESSAGE.copyData:
        rowDecoder("text", this.#fields, AUTO)(bytes, start, end);
        return;
      case MESSAGE.errorResponse:
      case MESSAGE.noticeResponse:
        readMessageFields(bytes, start, end);
        return;
      case MESSAGE.commandComplete:
        readTagCommand(bytes, start, end);
        return;
      case MESSAGE.notificationResponse:
        readNotification(bytes, start, end);
        return;
      case MESSAGE.parameterDescription:
        readParameterDescription(bytes, start, end);
        return;
      case MESSAGE.readyForQuery:
        readTxStatus(bytes, start, end);
        return;
      default:
        this.#binary(bytes, start, end);
    }
  }

  /** In the format that was told, and in the other one. */
  #onRow(bytes: Buffer, start: number, end: number): void {
    const isBinary = end % 2 === 0;
    const fields = isBinary
      ? this.#fields.map((field) => ({ ...field, format: 1 as const }))
      : this.#fields;
    const shape = new RowShape(fields, AUTO);
    shape.array(bytes, start, end);
    shape.object(bytes, start, end);
  }
}

/** Reads messages and what is in them; gives what is wrong with what came of it. */
export function runReader({ chunks }: Input): string | undefined {
  const reading = new Reading();
  let lastError: unknown;
  const onMessage = (type: number, bytes: Buffer, start: number, end: number) => {
    try {
      reading.onMessage(type, bytes, start, end);
    } catch (error) {
      lastError = complaintAbout(error) === undefined ? lastError : error;
    }
  };
  const reader = new MessageReader({ onMessage }, BODY_BYTES_MAX);
  try {
    for (const chunk of chunks) reader.push(Buffer.from(chunk));
  } catch (error) {
    return complaintAbout(error);
  }
  return lastError === undefined ? undefined : complaintAbout(lastError);
}

/** Begins a session; gives what is wrong with what came of it. */
export function runOpening({ name, chunks }: Input): string | undefined {
  const { opening } = recordOf(name).golden;
  if (opening === undefined) throw new Error(`${name} is no beginning of a session`);
  const { facts, error } = playOpening(opening, chunks);
  if (error !== undefined) return complaintAbout(error);
  const isOdd = facts !== undefined && facts.cancelKey.length > 256;
  return isOdd ? "the key for cancel requests is too long" : undefined;
}

/** Plays a conversation; gives what is wrong with what came of it. */
export async function runLive({ name, chunks }: Input): Promise<string | undefined> {
  const record = recordOf(name);
  const conversation = CONVERSATIONS.find((one) => one.name === record.golden.name);
  if (conversation === undefined) throw new Error(`there is no conversation ${name}`);
  const played = await replay(conversation, chunks);
  const { told, isOver, thrown, breach, losses, wasLost, isValid, after } = played;
  if (!isOver) return `call ${told.length + 1} is still waiting after the server has hung up`;
  if (thrown !== undefined) return `the conversation broke: ${describe(thrown)}`;
  const errors = told.flatMap((one: Told) => ("error" in one ? [one.error] : []));
  for (const error of [...errors, ...losses, breach]) {
    const complaint = complaintAbout(error);
    if (complaint !== undefined) return complaint;
  }
  const isBroken = breach !== undefined || errors.some(isBreach);
  if (isBroken && !wasLost) return "the connection outlived a breach of the protocol";
  if (losses.length !== 1) return `the loss of the connection was told ${losses.length} times`;
  if (isValid) return "the connection is said to be valid after its loss";
  const code = "error" in after ? (after.error as { readonly code?: unknown }).code : "none";
  return code === "BAD_CONN" ? undefined : `a call after the loss gives ${String(code)}`;
}

/** A target, most often one that is quick. */
export function pickTarget(random: Random): Input["target"] {
  const at = randomBelow(random, 20);
  if (at < 10) return "codec";
  if (at < 14) return "reader";
  return at < 16 ? "opening" : "live";
}

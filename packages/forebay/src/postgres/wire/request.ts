// One request to the server, from the moment it is queued until the server is done with it. The
// session fills it in; who waits for it extends it.

import type { RowMode } from "../../driver/driver.ts";
import type { FieldDescription } from "./proto/backend.ts";
import type { RowShape } from "./row-shape.ts";

/**
 * What was sent.
 *
 * - `simple`: one Query; each of its statements may give a result, and the last one counts.
 * - `sets`: the same, and each result counts.
 * - `unnamed`: Parse, Bind, Execute, Sync, with a Describe among them: the columns are told.
 * - `named`: Bind, Execute, Sync of a prepared statement; its columns are known.
 * - `prepare`: Parse, Describe, Sync.
 * - `batch`: several statements, as `unnamed` or `named`, and one Sync.
 * - `portal`: rows in portions; the Sync follows when they end.
 * - `copy-in`: one Query with a COPY FROM STDIN; the data follows when the server asks for it.
 * - `copy-out`: one Query with a COPY TO STDOUT; the server sends the data.
 */
export type RequestKind =
  | "simple"
  | "sets"
  | "unnamed"
  | "named"
  | "prepare"
  | "batch"
  | "portal"
  | "copy-in"
  | "copy-out";

/**
 * How far a request of several steps has come. A portal: the columns are known, a portion is
 * complete, or the statement has ended or failed. Sets: the columns of the next result are known,
 * or a statement has ended. A batch: a statement has ended. A copy: the server waits for data, or
 * has some.
 */
export type RequestStep = "described" | "suspended" | "ended" | "copying";

const NO_FIELDS: readonly FieldDescription[] = [];

/** A request. One class for all kinds, so that the fields of all lie alike. */
export abstract class Request {
  readonly kind: RequestKind;
  readonly rowMode: RowMode;
  /** The request behind this one. For the session only. */
  behind: Request | undefined = undefined;
  /** Counts the requests of the session from 1 up. Set by the session. */
  order = 0;
  /** How rows are read. Set from the start for `named`, by RowDescription for the others. */
  shape: RowShape | undefined;
  /** The rows of the present result, or of the present portion. */
  rows: unknown[] = [];
  /** The length of the messages that `rows` came in. */
  rowBytes = 0;
  rowsAffected = 0;
  command = "";
  /** What went wrong first. Valid only if `failed`. */
  error: unknown = undefined;
  failed = false;
  /** Nobody wants the rows any more: they are passed over. */
  discarded = false;
  /** Its text, where it is known to whoever made it. For finding out what takes long. */
  sql: string | undefined = undefined;
  /** It was given up, and nothing new may be sent before the server is done with it. */
  isWaitedFor = false;
  /** A statement is complete: whatever comes next is another statement's. */
  complete = false;
  /** Whether the server may be asked to stop in the middle. */
  isCancellable = true;
  /** What Describe of a statement gave. */
  paramOids: readonly number[] | undefined = undefined;
  fields: readonly FieldDescription[] = NO_FIELDS;

  constructor(kind: RequestKind, rowMode: RowMode, shape: RowShape | undefined) {
    this.kind = kind;
    this.rowMode = rowMode;
    this.shape = shape;
  }

  /** Whether the server has said what it owes before it may be ready for the next request. */
  get isAnswered(): boolean {
    return this.complete || this.failed || this.discarded || this.kind === "prepare";
  }

  /** Notes an error; the first one counts. */
  fail(error: unknown): void {
    if (this.failed) return;
    this.failed = true;
    this.error = error;
  }

  /**
   * Nothing more will come: the server is ready for the next request, or the connection is lost
   * (and `failed` is set).
   */
  abstract onSettled(): void;

  /** `portal`, `sets`, `copy-in` and `copy-out` only. */
  onStep(_step: RequestStep): void {}

  /** `copy-out` only: a row, in bytes that may be overwritten after the call. */
  onCopyData(_bytes: Buffer, _start: number, _end: number): void {}

  /** All that has come in so far has been read, and more is to come. */
  onChunk(): void {}
}

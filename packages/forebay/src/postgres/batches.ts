// Rows from anywhere, gathered into batches of a bounded size, a list of values for each row.

import { UsageError } from "../base/errors.ts";
import { type CopyRow, type CopyRows, rowError } from "./wire/copy-rows.ts";
import { openSource } from "./wire/copy-source.ts";

/** How much a batch may hold. */
export interface BatchLimits {
  readonly rowsMax: number;
  /** Of values, roughly: a batch is closed by the row that goes beyond it. */
  readonly bytesMax: number;
}

/** Some rows, one behind the other in the source. */
export interface Batch {
  readonly rows: readonly (readonly unknown[])[];
  /** The number of the first of them, from 1. */
  readonly firstRow: number;
  /** No more rows come behind these. */
  readonly isLast: boolean;
}

/** What a value takes that is no string and no bytes: about what it does in binary. */
const VALUE_BYTES = 12;

/** Reads rows in batches. */
export class Batches {
  readonly #names: readonly string[];
  readonly #limits: BatchLimits;
  readonly #next: () =>
    | Promise<IteratorResult<CopyRow, unknown>>
    | IteratorResult<CopyRow, unknown>;
  readonly #stop: () => void;
  #rowCount = 0;
  /** Read already, to know whether the batch before was the last. */
  #ahead: readonly unknown[] | undefined;
  #isOver = false;

  constructor(source: CopyRows, names: readonly string[], limits: BatchLimits) {
    this.#names = names;
    this.#limits = limits;
    if (Symbol.asyncIterator in source) {
      const reading = openSource(source);
      this.#next = () => reading.next();
      this.#stop = () => reading.stop();
    } else {
      const iterator = source[Symbol.iterator]();
      this.#next = () => iterator.next();
      this.#stop = () => {
        iterator.return?.();
      };
    }
  }

  /**
   * The next batch, which is empty only where there are no rows at all. Rejects with what the
   * source throws, and with `ARGUMENT_INVALID` for what is no row; then the source has been let go.
   */
  async next(): Promise<Batch> {
    const { rowsMax, bytesMax } = this.#limits;
    const rows: (readonly unknown[])[] = [];
    let bytes = 0;
    const firstRow = this.#ahead === undefined ? this.#rowCount + 1 : this.#rowCount;
    while (!this.#isOver) {
      let row = this.#ahead;
      if (row === undefined) {
        const step = this.#next();
        row = this.#take("then" in step ? await step : step);
      }
      this.#ahead = undefined;
      if (row === undefined) break;
      if (rows.length === rowsMax || (bytes >= bytesMax && rows.length > 0)) {
        this.#ahead = row;
        break;
      }
      rows.push(row);
      bytes += bytesOf(row);
    }
    return { rows, firstRow, isLast: this.#isOver };
  }

  /** Lets go of the source, if it has not ended. */
  stop(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#stop();
  }

  #take(step: IteratorResult<CopyRow, unknown>): readonly unknown[] | undefined {
    if (step.done === true) {
      this.#isOver = true;
      return undefined;
    }
    this.#rowCount++;
    try {
      return valuesOf(step.value, this.#names);
    } catch (error) {
      this.stop();
      throw rowError(this.#rowCount, undefined, error);
    }
  }
}

/** Kept for its shape alone: see `SPECIMENS` of copy-rows.ts. */
export const SPECIMEN: object = new Batches([], [], { rowsMax: 1, bytesMax: 1 });

function valuesOf(row: CopyRow, names: readonly string[]): readonly unknown[] {
  if (Array.isArray(row)) {
    if (row.length === names.length) return row;
    throw new UsageError("ARGUMENT_INVALID", `values: ${row.length}, columns: ${names.length}`);
  }
  if (typeof row !== "object" || row === null) {
    throw new UsageError("ARGUMENT_INVALID", "a row must be an array or an object");
  }
  const byName = row as Readonly<Record<string, unknown>>;
  return names.map((name) => byName[name]);
}

function bytesOf(row: readonly unknown[]): number {
  let bytes = 0;
  for (const value of row) {
    if (typeof value === "string" || value instanceof Uint8Array) bytes += value.length;
    bytes += VALUE_BYTES;
  }
  return bytes;
}

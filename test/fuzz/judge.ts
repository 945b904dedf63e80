// What the client may make of bytes that no server would send: a value, or one of its own errors.

import { inspect } from "node:util";
import { isForebayError } from "../../packages/forebay/src/base/errors.ts";
import { isBadConn } from "../../packages/forebay/src/driver/errors.ts";
import { isPgError, ProtocolError } from "../../packages/forebay/src/postgres/index.ts";
import { RefusedSource } from "../golden/conversations.ts";

/** What is wrong with an error, or with one that caused it; `undefined` for nothing. */
export function complaintAbout(error: unknown): string | undefined {
  for (let at = error, depth = 0; at !== undefined && depth < 8; depth++) {
    const isKnown =
      isForebayError(at) ||
      isPgError(at) ||
      isBadConn(at) ||
      at instanceof ProtocolError ||
      at instanceof RefusedSource;
    if (!isKnown) return `an error that is none of the client's: ${describe(at)}`;
    at = (at as { readonly cause?: unknown }).cause;
  }
  return undefined;
}

/** Whether the server has broken the protocol, according to an error. */
export function isBreach(error: unknown): boolean {
  for (let at = error, depth = 0; typeof at === "object" && at !== null && depth < 8; depth++) {
    if (at instanceof ProtocolError) return true;
    at = (at as { readonly cause?: unknown }).cause;
  }
  return false;
}

/** An error for people: with its stack, where it has one. */
export function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : inspect(error);
}

/** The sizes of buffers that are asked for while something runs. */
export class Allocations {
  /** The greatest, in bytes. */
  largestBytes = 0;
  readonly #restore: (() => void)[] = [];

  /** Begins to watch; `end` must follow. */
  constructor() {
    for (const name of ["alloc", "allocUnsafe", "allocUnsafeSlow"] as const) {
      const real = Buffer[name] as (size: number, ...rest: unknown[]) => Buffer;
      const note = (size: number, ...rest: unknown[]): Buffer => {
        if (size > this.largestBytes) this.largestBytes = size;
        return real.call(Buffer, size, ...rest);
      };
      Object.assign(Buffer, { [name]: note });
      this.#restore.push(() => Object.assign(Buffer, { [name]: real }));
    }
  }

  /** Stops watching. */
  end(): void {
    for (const restore of this.#restore) restore();
  }
}

/** How much a value holds: letters, bytes and members. */
export function weigh(value: unknown): number {
  if (typeof value === "string" || Buffer.isBuffer(value)) return value.length;
  if (typeof value !== "object" || value === null) return 1;
  return Object.values(value).reduce((sum: number, member) => sum + weigh(member), 1);
}

// The pipelined wire floor: what a Node program can do at best when it sends many queries one
// behind the other on each connection. As the other floor (floor.ts), but for one write a turn of
// the event loop on each connection, with a Sync for each query, so that each stands alone.

import type { Access } from "./access.ts";
import { AID_AT, FloorSocket, REQUEST } from "./floor-socket.ts";

const CHUNK_BYTES = 65_536;
/** Requests that fit in one write; more go in a further one. */
const BATCH = 64;

/** A few connections that all callers share. */
export class PipelinedFloor {
  readonly #conns: readonly PipelinedConn[];

  private constructor(conns: readonly PipelinedConn[]) {
    this.#conns = conns;
  }

  /** Connects, and prepares the statement everywhere. */
  static async open(access: Access, connections: number): Promise<PipelinedFloor> {
    const opening = Array.from({ length: connections }, async () => {
      return new PipelinedConn(await FloorSocket.open(access, CHUNK_BYTES));
    });
    return new PipelinedFloor(await Promise.all(opening));
  }

  /** The balance of one account, over the connection with the fewest queries under way. */
  query(aid: number): Promise<number> {
    let best: PipelinedConn | undefined;
    for (const conn of this.#conns) {
      if (best === undefined || conn.pending < best.pending) best = conn;
    }
    if (best === undefined) throw new Error("wire floor: there is no connection");
    return best.query(aid);
  }

  close(): void {
    for (const conn of this.#conns) conn.close();
  }
}

class PipelinedConn {
  /** Queries under way. */
  pending = 0;
  readonly #socket: FloorSocket;
  /** A ring of those who wait, in order of their queries. Its size is a power of two. */
  #waiting: (((value: number) => void) | undefined)[] = Array.from({ length: 256 });
  #head = 0;
  #batch: Buffer = Buffer.allocUnsafeSlow(BATCH * REQUEST.length);
  #batched = 0;

  constructor(socket: FloorSocket) {
    this.#socket = socket;
    socket.onValue = (value) => {
      const resolve = this.#waiting[this.#head];
      this.#head = (this.#head + 1) & (this.#waiting.length - 1);
      this.pending -= 1;
      resolve?.(value);
    };
  }

  query(aid: number): Promise<number> {
    return new Promise((resolve) => {
      if (this.pending === this.#waiting.length) this.#grow();
      this.#waiting[(this.#head + this.pending) & (this.#waiting.length - 1)] = resolve;
      this.pending += 1;
      if (this.#batched === BATCH) this.#flush();
      if (this.#batched === 0) process.nextTick(this.#flush);
      const at = this.#batched * REQUEST.length;
      REQUEST.copy(this.#batch, at);
      this.#batch.writeInt32BE(aid, at + AID_AT);
      this.#batched += 1;
    });
  }

  close(): void {
    this.#socket.close();
  }

  readonly #flush = (): void => {
    if (this.#batched === 0) return;
    // A copy: the socket may keep what it could not write at once.
    this.#socket.write(Buffer.from(this.#batch.subarray(0, this.#batched * REQUEST.length)));
    this.#batched = 0;
  };

  #grow(): void {
    const { length } = this.#waiting;
    const inOrder = this.#waiting.map((_, place) => this.#waiting[(this.#head + place) % length]);
    this.#waiting = [...inOrder, ...Array.from<undefined>({ length })];
    this.#head = 0;
  }
}

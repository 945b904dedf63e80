// The wire floor: what a Node program can do at best when it sends one query at a time on each
// connection. Bare sockets, one prepared statement, binary values, one write a query, one promise a
// query, replies decoded where they lie. It has no errors, no types and no pool worth the name: it
// is a limit to compare with, not a client to use.

import type { Access } from "./access.ts";
import { AID_AT, FloorSocket, REQUEST } from "./floor-socket.ts";

const CHUNK_BYTES = 4096;

interface Waiting {
  readonly aid: number;
  readonly resolve: (balance: number) => void;
}

/** A few connections, and the callers that wait for one. */
export class Floor {
  readonly #conns: readonly FloorConn[];
  readonly #idle: FloorConn[];
  #waiting: Waiting[] = [];
  #head = 0;

  private constructor(sockets: readonly FloorSocket[]) {
    this.#conns = sockets.map((socket) => new FloorConn(socket, this.#onFree));
    this.#idle = [...this.#conns];
  }

  /** Connects, and prepares the statement everywhere. */
  static async open(access: Access, connections: number): Promise<Floor> {
    const opening = Array.from({ length: connections }, () =>
      FloorSocket.open(access, CHUNK_BYTES),
    );
    return new Floor(await Promise.all(opening));
  }

  /** The balance of one account. */
  query(aid: number): Promise<number> {
    return new Promise((resolve) => {
      const conn = this.#idle.pop();
      if (conn === undefined) this.#waiting.push({ aid, resolve });
      else conn.query(aid, resolve);
    });
  }

  close(): void {
    for (const conn of this.#conns) conn.close();
  }

  readonly #onFree = (conn: FloorConn): void => {
    const next = this.#waiting[this.#head];
    if (next === undefined) {
      this.#idle.push(conn);
      return;
    }
    this.#head += 1;
    if (this.#head === 1024) {
      this.#waiting = this.#waiting.slice(this.#head);
      this.#head = 0;
    }
    conn.query(next.aid, next.resolve);
  };
}

class FloorConn {
  readonly #socket: FloorSocket;
  #onValue: ((value: number) => void) | undefined;

  constructor(socket: FloorSocket, onFree: (conn: FloorConn) => void) {
    this.#socket = socket;
    socket.onValue = (value) => {
      this.#onValue?.(value);
      onFree(this);
    };
  }

  query(aid: number, onValue: (value: number) => void): void {
    this.#onValue = onValue;
    // A copy: the socket may still be holding the request before.
    const request = Buffer.allocUnsafe(REQUEST.length);
    REQUEST.copy(request);
    request.writeInt32BE(aid, AID_AT);
    this.#socket.write(request);
  }

  close(): void {
    this.#socket.close();
  }
}

// A socket without a network: what the client writes is gathered, and what a test has the server
// say is given to it at once.

import { EventEmitter } from "node:events";
import type { Socket } from "node:net";

/** As much of a socket as a connection uses once its session has begun. */
export class FakeSocket extends EventEmitter {
  writable = true;
  destroyed = false;
  closed = false;
  readonly errored = null;
  readonly writableNeedDrain = false;
  /** What the client has written. */
  readonly written: Buffer[] = [];
  #waiting: Buffer[] = [];
  #isPaused = false;

  /** The same, where a `Socket` is asked for. */
  get asSocket(): Socket {
    return this as unknown as Socket;
  }

  write(bytes: Buffer): boolean {
    this.written.push(bytes);
    return true;
  }

  end(bytes?: Buffer): void {
    if (bytes !== undefined) this.written.push(bytes);
    this.destroy();
  }

  destroy(): this {
    if (this.destroyed) return this;
    this.destroyed = true;
    this.writable = false;
    queueMicrotask(() => {
      this.closed = true;
      this.emit("close");
    });
    return this;
  }

  pause(): this {
    this.#isPaused = true;
    return this;
  }

  resume(): this {
    this.#isPaused = false;
    for (const bytes of this.#waiting.splice(0)) this.receive(bytes);
    return this;
  }

  /** The server says something. */
  receive(bytes: Buffer): void {
    if (this.destroyed) return;
    if (this.#isPaused) this.#waiting.push(bytes);
    else this.emit("data", bytes);
  }

  /** The server hangs up. */
  hangUp(): void {
    if (!this.destroyed) this.emit("end");
  }
}

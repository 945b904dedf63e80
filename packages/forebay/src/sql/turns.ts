// One call at a time, in order of arrival: what keeps a driver connection from overlapping calls.

import { addAbortListener, removeAbortListener } from "../base/abort.ts";

interface Waiter {
  readonly grant: () => void;
  /** Its signal was aborted: it has been rejected and takes no turn. */
  gone: boolean;
  next: Waiter | undefined;
}

/**
 * A lock whose waiters are served in order of arrival. A turn that was taken is given exactly once.
 */
export class Turns {
  #taken = false;
  #first: Waiter | undefined;
  #last: Waiter | undefined;

  /** Whether someone has the turn. */
  get isTaken(): boolean {
    return this.#taken;
  }

  /**
   * Takes the turn: at once when it is free, and then there is no promise to wait for. Otherwise
   * resolves when it has been given; rejects with `signal.reason`, and takes no turn, when `signal`
   * is aborted before that. The caller has looked whether the signal was aborted already.
   */
  take(signal?: AbortSignal): Promise<void> | undefined {
    if (!this.#taken) {
      this.#taken = true;
      return undefined;
    }
    return new Promise((resolve, reject) => {
      if (signal === undefined) {
        this.#append({ grant: resolve, gone: false, next: undefined });
        return;
      }
      const onAbort = (): void => {
        waiter.gone = true;
        reject(signal.reason);
      };
      const grant = (): void => {
        removeAbortListener(signal, onAbort);
        resolve();
      };
      const waiter: Waiter = { grant, gone: false, next: undefined };
      addAbortListener(signal, onAbort);
      this.#append(waiter);
    });
  }

  /** Gives the turn to whoever waits longest. */
  give(): void {
    let next = this.#first;
    while (next?.gone === true) next = next.next;
    this.#first = next?.next;
    if (this.#first === undefined) this.#last = undefined;
    if (next === undefined) this.#taken = false;
    else next.grant();
  }

  #append(waiter: Waiter): void {
    if (this.#last === undefined) this.#first = waiter;
    else this.#last.next = waiter;
    this.#last = waiter;
  }
}

// The server of a hand-written life: it does what it is told until it is told otherwise, and knows
// when it was asked for what.

import type {
  FakeCall,
  FakeOutcome,
  FakeScript,
} from "../../../packages/forebay/src/testing/fake-connector.ts";
import type { VirtualClock } from "../../../packages/forebay/src/testing/virtual-clock.ts";

/** How long a dial takes while the server is well. */
export const DIAL_MS = 20;
/** How long a ping takes while the server is well. */
export const PING_MS = 2;
/** How long it takes to close a connection while the server is well. */
export const CLOSE_MS = 1;

const WELL: Readonly<Record<FakeCall, FakeOutcome>> = {
  connect: { afterMs: DIAL_MS },
  isValid: "ok",
  resetSession: "ok",
  ping: { afterMs: PING_MS },
  close: { afterMs: CLOSE_MS },
};

/** What it does at calls of one kind, or what it does by the number of the connection. */
export type Behaviour = FakeOutcome | ((connId: number) => FakeOutcome | undefined);

/** What it does at each call; where nothing is said, all goes well. */
export type Behaviours = Partial<Record<FakeCall, Behaviour>>;

/** One call of the driver. */
export interface ServerCall {
  readonly call: FakeCall;
  readonly connId: number;
  readonly atMs: number;
}

/** The server of one life. */
export class Server {
  /** Every call, in order. */
  readonly calls: ServerCall[] = [];
  readonly #clock: VirtualClock;
  #behaviours: Behaviours;

  constructor(clock: VirtualClock, behaviours: Behaviours = {}) {
    this.#clock = clock;
    this.#behaviours = behaviours;
  }

  /** Does this from now on. */
  does(behaviours: Behaviours): void {
    this.#behaviours = behaviours;
  }

  /** Does all well from now on. */
  isWellAgain(): void {
    this.#behaviours = {};
  }

  /** Refuses dials from now on, after as long as one that succeeds takes. */
  refuses(error: Error = new Error("connect ECONNREFUSED")): void {
    this.#behaviours = { connect: { fail: error, afterMs: DIAL_MS } };
  }

  /** When there were calls of a kind. */
  timesOf(call: FakeCall): number[] {
    return this.calls.filter((each) => each.call === call).map(({ atMs }) => atMs);
  }

  /** For the fake connector. */
  readonly script: FakeScript = (call, connId) => {
    this.calls.push({ call, connId, atMs: this.#clock.nowMs() });
    const behaviour = this.#behaviours[call];
    const outcome = typeof behaviour === "function" ? behaviour(connId) : behaviour;
    return outcome ?? WELL[call];
  };
}

// A listener between a fake server and a virtual clock, and what it must leave behind: nothing.

import assert from "node:assert/strict";
import { afterEach } from "vitest";
import { seededRandom } from "../../../packages/forebay/src/base/random.ts";
import {
  Listener,
  type ListenerOptions,
  type ListenGap,
} from "../../../packages/forebay/src/postgres/index.ts";
import { VirtualClock } from "../../../packages/forebay/src/testing/virtual-clock.ts";
import { FakeNotifier } from "./fake-notifier.ts";

/** What a test has in hand. */
export interface Scene {
  readonly clock: VirtualClock;
  readonly server: FakeNotifier;
  readonly listener: Listener;
  readonly gaps: ListenGap[];
  readonly errors: (readonly [unknown, string])[];
  readonly heard: string[];
  /** Notes each notification as `channel:payload`. */
  readonly note: (payload: string, notification: { readonly channel: string }) => void;
}

const scenes: Scene[] = [];

/** A listener that has not begun. */
export function begin(options: ListenerOptions = {}): Scene {
  const clock = new VirtualClock();
  const server = new FakeNotifier();
  const gaps: ListenGap[] = [];
  const errors: (readonly [unknown, string])[] = [];
  const heard: string[] = [];
  const listener = new Listener(
    server,
    {
      onReconnect: (gap) => gaps.push(gap),
      onError: (error, from) => errors.push([error, from]),
      ...options,
    },
    clock,
    seededRandom(1),
  );
  const note: Scene["note"] = (payload, { channel }) => heard.push(`${channel}:${payload}`);
  const scene = { clock, server, listener, gaps, errors, heard, note };
  scenes.push(scene);
  return scene;
}

/** What every test must leave behind: nothing (L1, L8). */
afterEach(async () => {
  for (const { clock, server, listener } of scenes.splice(0)) {
    const closing = listener.close();
    await clock.settle();
    await closing;
    assert.equal(listener.state, "closed");
    assert.deepEqual([server.open.size, server.dialing, clock.pendingTimerCount], [0, 0, 0]);
    assert(server.mostAtOnce <= 1);
  }
});

/** What a promise is rejected with. */
export function errorOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => "no error",
    (error: unknown) => error,
  );
}

import { expect, test } from "vitest";
import type { ConnectOptions } from "../../../packages/forebay/src/driver/driver.ts";
import {
  type FakeConn,
  FakeConnector,
} from "../../../packages/forebay/src/testing/fake-connector.ts";
import { VirtualClock } from "../../../packages/forebay/src/testing/virtual-clock.ts";
import { DIAL_MS } from "./server.ts";
import { settledAtMs, Story, type StorySetting, tally } from "./story.ts";

const MINUTE_MS = 60_000;

/** A server that takes a new password each minute, and no other then. */
class Vaulted extends FakeConnector {
  /** The password of each connection, in the order of their dials. */
  readonly presented: unknown[] = [];

  override connect(options: ConnectOptions): Promise<FakeConn> {
    this.presented.push(options.settings);
    return super.connect(options);
  }

  /** The password that is right now. */
  get password(): string {
    return `password ${Math.floor(this.clock.nowMs() / MINUTE_MS)}`;
  }
}

const WRONG = new Error("password authentication failed");

/** A pool at such a server, whose hook asks a vault for the password, which takes 5 ms. */
function vaulted(vault: (connector: Vaulted) => string, setting: StorySetting) {
  const clock = new VirtualClock();
  const connector = new Vaulted(clock);
  const beforeConnect = (): Promise<string> =>
    new Promise((resolve) => {
      clock.setTimer(5, () => resolve(vault(connector)));
    });
  const server = {
    connect: () =>
      connector.presented.at(-1) === connector.password
        ? undefined
        : { fail: WRONG, afterMs: DIAL_MS },
  };
  const story = new Story({ ...setting, connector, server, hooks: { beforeConnect } });
  return { story, connector };
}

test("passwords that are valid for a minute change under load, and nobody notices", async () => {
  const { story, connector } = vaulted(({ password }) => password, {
    options: { connMaxLifetimeMs: 45_000 },
  });
  const long = story.visit(2.5 * MINUTE_MS);
  const visits = story.stream({ count: 300, everyMs: 1000, holdMs: 2400 });
  await story.passUntil(5 * MINUTE_MS + 10_000);
  expect(tally([long, ...visits])).toEqual({ served: 301 });
  expect(long.connId).toBe(1);
  expect(story.pool.stats().pool.dialErrorCount).toBe(0);
  // Each minute's password opened some, and there was no dial but by lifetime, and at the start.
  expect(new Set(connector.presented).size).toBe(5);
  const { lifetime = 0, ...others } = story.closedBy;
  expect(others).toEqual({});
  expect(connector.presented).toHaveLength(lifetime + story.openIds.length);
  await story.finish();
});

test("while the vault has an old password, what is in use goes on; none is opened", async () => {
  // For ten seconds after the first minute, it still has the password of before.
  const isStale = ({ clock }: Vaulted) => clock.nowMs() < MINUTE_MS + 10_000;
  const vault = (connector: Vaulted) => (isStale(connector) ? "password 0" : connector.password);
  const { story } = vaulted(vault, { mayRetry: false, options: { maxOpenConns: 5 } });
  await story.passUntil(MINUTE_MS - 5000);
  const holders = story.crowd(2, 10_000);
  await story.passUntil(MINUTE_MS + 1000);
  // Those wait, as a connection in use may yet serve them.
  const first = story.crowd(5, 100);
  await story.passUntil(MINUTE_MS + 8000);
  expect(tally([...holders, ...first])).toEqual({ served: 7 });
  const backAtMs = settledAtMs(holders).map((ms) => ms + 10_000);
  expect(settledAtMs(first).slice(0, 2)).toEqual(backAtMs);
  // With none in use or idle there is no hope, and everybody is told why.
  story.reset();
  const second = story.crowd(5, 100);
  await story.passUntil(MINUTE_MS + 10_000);
  expect(tally(second)).toEqual({ CONNECT_FAILED: 5 });
  for (const { error } of second) expect(error).toMatchObject({ cause: WRONG });
  const third = story.crowd(5, 100);
  await story.passUntil(MINUTE_MS + 20_000);
  expect(tally(third)).toEqual({ served: 5 });
  await story.finish();
});

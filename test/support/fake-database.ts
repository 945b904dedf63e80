// The SQL layer on the fake database, and what checks with expectations.

import { getEventListeners } from "node:events";
import { expect } from "vitest";
import { seededRandom } from "../../packages/forebay/src/base/random.ts";
import { type DB, type DBOptions, openDB } from "../../packages/forebay/src/sql/db.ts";
import { FakeDatabase, type FakeDbConn } from "../../packages/forebay/src/testing/fake-database.ts";
import { VirtualClock } from "../../packages/forebay/src/testing/virtual-clock.ts";

export {
  type DriverCall,
  FakeDatabase,
  FakeDbConn,
  type Hang,
} from "../../packages/forebay/src/testing/fake-database.ts";

/** A `DB` over a fake database, on a virtual clock. */
export interface SqlBench {
  readonly db: DB<FakeDbConn>;
  readonly database: FakeDatabase;
  readonly clock: VirtualClock;
  /** Connections in somebody's hands. */
  leased(): number;
  /** A signal, whose listeners are all to be gone in the end. */
  abortable(): AbortController;
  /**
   * Checks that nothing is held and no rule was broken, closes the `DB`, and checks that nothing is
   * left.
   */
  done(): Promise<void>;
}

/** Makes a `DB` of at most two connections, unless `options` say otherwise. */
export function sqlBench(options: DBOptions = {}): SqlBench {
  const clock = new VirtualClock();
  const database = new FakeDatabase();
  const controllers: AbortController[] = [];
  const db = openDB(database, { maxOpenConns: 2, clock, random: seededRandom(1), ...options });
  return {
    db,
    database,
    clock,
    leased: () => db.stats().pool.leased,
    abortable: () => {
      const controller = new AbortController();
      controllers.push(controller);
      return controller;
    },
    done: async () => {
      await clock.settle();
      expect(db.stats().pool).toMatchObject({ leased: 0, waiting: 0, checking: 0 });
      await db.close();
      expect(database.violations).toEqual([]);
      expect(database.openCount).toBe(0);
      expect(clock.pendingTimerCount).toBe(0);
      const listeners = controllers.flatMap(({ signal }) => getEventListeners(signal, "abort"));
      expect(listeners).toEqual([]);
    },
  };
}

/** What a promise rejects with. Fails when it resolves. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("expected a rejection");
}

/**
 * A promise's outcome, for one that is not awaited at once: its rejection is handled from now on.
 */
export function outcome(promise: Promise<unknown>): Promise<{ value?: unknown; error?: unknown }> {
  return promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
}

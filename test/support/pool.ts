// A pool on a virtual clock and a scripted connector, audited.

import { Audit } from "../../packages/forebay/src/pool/audit.ts";
import type { PoolOptions } from "../../packages/forebay/src/pool/options.ts";
import { coreOf, Pool } from "../../packages/forebay/src/pool/pool.ts";
import { seededRandom } from "../../packages/forebay/src/base/random.ts";
import {
  type FakeConn,
  FakeConnector,
  type FakeScript,
} from "../../packages/forebay/src/testing/fake-connector.ts";
import { VirtualClock } from "../../packages/forebay/src/testing/virtual-clock.ts";

/** A pool and what is around it. */
export interface PoolBench {
  readonly clock: VirtualClock;
  readonly connector: FakeConnector;
  readonly pool: Pool<FakeConn>;
  /** Lets promises settle and time pass, then audits the pool. */
  advance(byMs: number): Promise<void>;
}

/**
 * Makes a pool named `test`, without lifetime, idle time or acquire timeout unless `options` say
 * so.
 */
export function poolBench(options: PoolOptions = {}, script?: FakeScript): PoolBench {
  const clock = new VirtualClock();
  const connector = new FakeConnector(clock, script);
  const pool = new Pool(connector, {
    name: "test",
    connMaxLifetimeMs: Infinity,
    connMaxIdleTimeMs: Infinity,
    acquireTimeoutMs: Infinity,
    clock,
    random: seededRandom(1),
    ...options,
  });
  const audit = new Audit(coreOf(pool));
  return {
    clock,
    connector,
    pool,
    advance: async (byMs) => {
      await clock.advance(byMs);
      audit.check(clock.nowMs());
    },
  };
}

import { expect, test } from "vitest";
import { HOOK_NAMES } from "../../../packages/forebay/src/pool/hooks.ts";
import type { HookName } from "../hooks.ts";
import { Story, tally } from "./story.ts";

type Illness = "throws" | "hangs";

/** Fifteen callers take turns on ten connections, whose hook is ill from 200 ms on, to 700 ms. */
async function illHook(name: HookName, illness: Illness) {
  let isIll = false;
  let failures = 0;
  const act = (): unknown => {
    if (!isIll) return undefined;
    failures += 1;
    if (illness === "hangs") return new Promise(() => undefined);
    throw new Error(`${name} is ill`);
  };
  const options = {
    // So that connections come and go all the time, with every hook that they have.
    connMaxLifetimeMs: 150,
    hookTimeoutMs: 100,
    dialTimeoutMs: 100,
    acquireTimeoutMs: 2000,
  };
  const story = new Story({ options, hooks: { [name]: act } });
  const visits = story.workers(15, 50, 1200);
  await story.passUntil(200);
  isIll = true;
  await story.passUntil(700);
  isIll = false;
  await story.passUntil(2000);
  return { story, visits, failures };
}

/** What callers are told of; of all other hooks nobody is, they only wait. */
const TOLD: Readonly<Record<string, string>> = {
  "beforeAcquire throws": "Error: beforeAcquire is ill",
  "beforeAcquire hangs": "DRIVER_TIMEOUT",
};

/** Those of whose failure no caller and no dial can tell. */
const IN_BACKGROUND: readonly HookName[] = ["afterRelease", "beforeClose"];

for (const name of HOOK_NAMES) {
  for (const illness of ["throws", "hangs"] as const) {
    test(`when ${name} ${illness} for a while, no place is lost by it`, async () => {
      const { story, visits, failures } = await illHook(name, illness);
      expect(failures).toBeGreaterThanOrEqual(4);
      const { served = 0, ...others } = tally(visits);
      const told = TOLD[`${name} ${illness}`];
      expect(others).toEqual(told === undefined ? {} : { [told]: failures });
      expect(served).toBeGreaterThan(100);
      const tasks = IN_BACKGROUND.includes(name) ? Array(failures).fill("hook") : [];
      expect(story.reports.map(({ task }) => task)).toEqual(tasks);
      const all = story.crowd(10, 100);
      await story.pass(100);
      expect(story.pool.stats()).toMatchObject({ openConnections: 10, pool: { leased: 10 } });
      await story.pass(1000);
      expect(tally(all)).toEqual({ served: 10 });
      await story.finish();
    });
  }
}

// Finds callers who hold a connection and wait for a second: by the asynchronous context, which a
// function inherits from whoever called it.

import { AsyncLocalStorage } from "node:async_hooks";

/** A connection that is held over a function's run. */
interface Holding {
  readonly pool: object;
  isOver: boolean;
  readonly outer: Holding | undefined;
}

/** Made when first needed: its mere use costs something on every promise before Node 24. */
let contexts: AsyncLocalStorage<Holding | undefined> | undefined;

/** Runs `fn` as the work of somebody who holds a connection of `pool` until `fn` has settled. */
export async function whileHolding<T>(pool: object, fn: () => Promise<T>): Promise<T> {
  contexts ??= new AsyncLocalStorage();
  const holding: Holding = { pool, isOver: false, outer: contexts.getStore() };
  try {
    return await contexts.run(holding, fn);
  } finally {
    holding.isOver = true;
  }
}

/** Whether the present call is the work of somebody who holds a connection of `pool`. */
export function isHolding(pool: object): boolean {
  for (let at = contexts?.getStore(); at !== undefined; at = at.outer) {
    if (at.pool === pool && !at.isOver) return true;
  }
  return false;
}

// Scenario 21.

import type { Explanation } from "./explanation.ts";

/** A second connection for who holds one. */
export const nestedAcquire: Explanation = {
  id: 21,
  title: "Nested acquires: waiting for oneself",
  why: [
    "A request begins a transaction, and within it calls a function that asks the pool for a " +
      "connection of its own, rather than being given the transaction. Alone, this works. When " +
      "as many requests as there are connections do it at the same time, each holds one and " +
      "waits for a second that only one of them could give back. Nobody moves until the " +
      "timeout, then most fail at once.",
    "The server shows idle transactions and no load, and the pool shows all in use: it looks " +
      "as if the pool were too small. A larger pool only makes it rarer.",
    "The defect is always in the code: pass the transaction on. It can be found when it " +
      "matters, at the moment in which who holds one would have to wait for another.",
  ],
  formula: [
    "safe without the mend: connections >= T x (C - 1) + 1   (T tasks at once, each holding C)",
    "ten requests with two each need 11; with ten connections they can stop each other",
  ],
  settings: `openDB(connector, { nestedAcquire: "reject" }); // or "warn", with stack
// The mend: hand the transaction on.
async function nameOf(on: Querier, id: number) {
  return on.queryRow("SELECT name FROM users WHERE id = $1", [id]);
}
await db.transaction(async (tx) => nameOf(tx, 1));`,
  names: {
    go: "nothing finds it; a context with a deadline ends it.",
    pg: "nothing finds it; connectionTimeoutMillis, off by default, ends it.",
    hikari:
      "nothing finds it; connectionTimeout ends it. Its wiki has the formula. Agroal detects it.",
  },
  caveats: [
    "It covers transaction, withConn and use. A connection taken by conn or begin, or a call " +
      "within a loop over rows, is not seen.",
    "It uses AsyncLocalStorage, which before Node 24 makes every promise of the process a " +
      "little slower.",
  ],
};

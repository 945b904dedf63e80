// Rows of the conformance table: what holds whatever happens.

import type { ConformanceRow } from "./rows.ts";

/** See `GROUPS`. */
export const ORACLE_ROWS: readonly ConformanceRow[] = [
  {
    id: "P1",
    pins: "Open, dialing and closing connections are never more than the limit",
    test: "P1: the server never counts more connections than are allowed, come what may",
  },
  {
    id: "P2",
    pins: "Every waiter settles exactly once",
    test: "P2: every acquire settles once, and what is granted is in its caller's hands",
  },
  {
    id: "P3",
    pins: "No connection has two owners",
    test: "P3: no connection has two owners",
  },
  {
    id: "P4",
    pins: "When all is quiet nothing is in use, and no more is idle than the limit",
    test: "P4: when all is quiet nothing is in use, and no more is idle than may be",
  },
  {
    id: "P5",
    pins: "No wake-up is lost: who waits has all places taken, or a dial under way",
    test: "P5: who waits has a dial under way or all places taken, and is served at last",
  },
  {
    id: "P6",
    pins: "No statement runs on a connection whose transaction has ended",
    test: "P6: no statement of a transaction runs after its end, or in another's",
  },
  {
    id: "P7",
    pins: "No rows are delivered after the connection changed its owner",
    test: "P7: no row reaches a reader once its connection is another's",
  },
  {
    id: "P8",
    pins: "Every counter is the number of its events",
    test: "P8: every counter is the number of its events, and every gauge what is there",
  },
  {
    id: "P9",
    pins: "`Close` settles all, also connections whose dial ends after it",
    test: "P9: close settles all, closes what a dial gives after it, and ends",
  },
  {
    id: "P10",
    pins: "A raised limit wakes waiters",
    test: "P10: a raised limit serves as many of those who wait as it makes room for",
  },
  {
    id: "P11",
    pins: "Nobody barges while others queue",
    test: "P11: nobody is served before one who came earlier and waits still",
  },
];

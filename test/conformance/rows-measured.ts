// Rows of the conformance table: what was measured on Go.

import type { ConformanceRow } from "./rows.ts";

/** See `GROUPS`. */
export const MEASURED_ROWS: readonly ConformanceRow[] = [
  {
    id: "F1",
    pins: "One connection, one waiter; then the limit is raised to 5, and another caller comes",
    go: "The waiter sleeps on, still after 1 s; the caller is served in 10 µs, past the waiter",
    test: "F1: the waiter is served in 0 ms, and a caller who comes later after it",
    differs: "a raised limit serves who waits, and nobody passes the queue",
  },
  {
    id: "F2",
    pins: "`ResetSession` returns an ordinary error",
    go: "The acquire succeeds on the same connection, which was not reset; 1 opened",
    test: "F2: the connection is closed, and the acquire is given another, 2 opened",
    differs: "nobody may inherit another's session",
  },
  {
    id: "F3",
    pins: "12 waiters, numbered as they came, for one connection",
    go: "Served 0 4 1 11 7 6 5 8 9 2 3 10",
    test: "F3: served 0 1 2 3 4 5 6 7 8 9 10 11",
    differs: "in order of arrival",
  },
  {
    id: "F4",
    pins: "4 connections die while 4 wait; a dial takes 200 ms",
    go: "The last waiter is served after 800 ms",
    test: "F4: the last waiter is served after 200 ms",
    differs: "dials run side by side, up to `maxDialing`",
  },
  {
    id: "F5",
    pins: "Statistics during the first dial",
    go: "Open=1 InUse=1 Idle=0 WaitCount=0; nothing tells that it is a dial",
    test: "F5: Open=1 InUse=1 Idle=0 WaitCount=0, and 1 dialing, 1 waiting",
  },
  {
    id: "F6",
    pins: "`WaitCount` and `WaitDuration` of a wait that is cancelled after 40 ms",
    go: "In the wait 1 / 0 ms; after it 1 / 40 ms",
    test: "F6: in the wait 1 / 0 ms; after it 1 / 40 ms",
  },
  {
    id: "F7",
    pins: "1 to 4 are idle, 4 used last; then `SetMaxIdleConns(2)`",
    go: "Survivors are 2 then 1: the newest were closed",
    test: "F7: survivors are 4 then 3, the newest",
    differs: "those idle longest are closed",
  },
  {
    id: "F8",
    pins: "The context ends during the caller's own dial",
    go: "The dial is aborted, open=0: its work is lost",
    test: "F8: the dial goes on, open=1, and serves the next caller at once",
    differs: "the dial is the pool's, and serves whoever waits when it ends",
  },
];

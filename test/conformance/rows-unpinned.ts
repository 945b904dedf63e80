// Rows of the conformance table: behaviour that no test of Go's pins.

import type { ConformanceRow } from "./rows.ts";

/** See `GROUPS`. */
export const UNPINNED_ROWS: readonly ConformanceRow[] = [
  {
    id: "U1",
    pins: "The order of waiters",
    go: "At random",
    test: "U1: waiters are served in the order in which they came",
    differs: 'arrival bounds how long anyone waits; `waiterOrder: "random"` is theirs',
  },
  {
    id: "U1/go",
    pins: "The order of waiters where it is Go's",
    go: "At random",
    test: "U1/go: waiters are served at random, each once",
  },
  {
    id: "U2",
    pins: "The order of idle connections",
    go: "The one used last, since Go 1.18; before, the one idle longest",
    test: "U2: the one used last is handed out first; with fifo, the one idle longest",
  },
  {
    id: "U3",
    pins: "`SetMaxOpenConns` raised while others wait",
    go: "Nobody is woken until something else happens",
    test: "U3: a raised limit serves those who wait, and no more are opened than they are",
    differs: "who waits is served as soon as there is room",
  },
  {
    id: "U4",
    pins: "An error of `ResetSession` that is not `ErrBadConn`",
    go: "Ignored: the connection is handed out as it is",
    test: "U4: a connection that cannot be reset is closed and reported, never handed out",
    differs: "nobody may inherit another's session",
  },
  {
    id: "U5",
    pins: "`WaitCount` and `WaitDuration` of a wait that is cancelled",
    go: "Counted when the wait begins; its time added when it ends",
    test: "U5: a wait counts when it begins, and its time when it ends, however it ends",
  },
  {
    id: "U6",
    pins: "How many connections are opened at once for those who wait",
    go: "One at a time",
    test: "U6: dials for those who wait run side by side, at most maxDialing of them",
    differs: "one dial after the other makes a short outage a long one",
  },
  {
    id: "U7",
    pins: "`Close` while callers wait for a dial",
    go: "Who waits is refused; the opener's context is cancelled",
    test: "U7: close refuses who waits, aborts dials, and closes what they give later",
  },
  {
    id: "U8",
    pins: "Which idle connections a lowered `SetMaxIdleConns` closes",
    go: "Those used last",
    test: "U8: a lowered maxIdleConns closes those idle longest",
    differs: "those idle longest are the least likely to be of use",
  },
  {
    id: "U9",
    pins: "The context in which a connection is opened",
    go: "The caller's, or the pool's when the opener dials",
    test: "U9: a dial sees the pool's context and its own signal, nothing of its caller",
    differs: "a dial is the pool's, and may serve another than the caller who caused it",
  },
];

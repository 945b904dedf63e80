// Scenario 16.

import type { Explanation } from "./explanation.ts";

/** A benchmark that can show something. */
export const benchmark: Explanation = {
  id: 16,
  title: "A benchmark that can show something",
  guide: [
    "A template: RunParallel over SELECT 1 with 50 connections at -cpu=1,4,16, which reports " +
      "WaitCount and WaitDuration. They tell whether the pool or the query is the bottleneck.",
  ],
  why: [
    "As written it never waits. RunParallel starts as many goroutines as GOMAXPROCS, at most " +
      "16 here, for 50 connections: WaitCount is 0 whatever is changed. It takes " +
      "SetParallelism, and more callers than connections. It also ignores errors, never closes " +
      "the DB, does not divide its totals by the number of operations, and its ns/op is one " +
      "over the throughput, not a latency.",
    "A closed loop, in which each caller asks again when he is served, shows the most that " +
      "can be served. It cannot show latency under load: when the system is slow, its callers " +
      "ask less. Latency needs an open load, at 50, 80 and 95 % of that most, counted from when " +
      "each request was due.",
    "A difference is real when it is larger than what two identical runs differ by. So run " +
      "arms in turns, A B B A, and an A/A pair among them.",
    "In Node one thread makes all requests of a process. Where it is the bottleneck, no pool " +
      "helps, and a second process does, as long as there is a processor for it; it brings " +
      "connections of its own, which the server's limit has to hold.",
  ],
  formula: [
    "closed loop: R = N / X - Z   (N callers, X operations/s, Z time to think): a check of " +
      "the benchmark itself",
    "waits per operation: 0 with callers <= connections, towards 1 beyond",
    "loop-bound: the event loop is busy above 90 % of the time; else server-bound: the server's " +
      "processors are, above 85 %, or a query takes twice as long as alone",
    "else pool-bound: a tenth of the response or more is the wait for a connection; else " +
      "query-bound: the statement and the way there and back",
  ],
  settings: `// Arms in turns, an open load, an interval for the ratio, an A/A pair:
//   forebay lab run 16 --html report.html
const { waitCount, waitDurationMs } = db.stats(); // before and after
const { wait, hold } = db.histograms(); // quantileMs(0.99)`,
  names: {
    go: "testing.B with SetParallelism; DBStats.WaitCount and WaitDuration, per b.N.",
    pg: "no counters of waits: measure around pool.connect.",
    hikari: "MetricsTrackerFactory: timers for acquisition, use and creation.",
  },
  caveats: [
    "SELECT 1 measures overhead. Use your own statements, with data of the real size.",
    "Client and server on one machine share its processors: compare within one run, and " +
      "nothing else.",
  ],
};

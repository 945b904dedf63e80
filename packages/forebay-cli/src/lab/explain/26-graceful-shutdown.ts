// Scenario 26.

import type { Explanation } from "./explanation.ts";

/** Ending without losing anything. */
export const gracefulShutdown: Explanation = {
  id: 26,
  title: "Shutting down gracefully under load",
  why: [
    "An orchestrator sends SIGTERM and kills some time later, 30 s by default in Kubernetes. " +
      "In between no new work must begin, and what has begun should end. A pool that closes its " +
      "sockets at once breaks transactions in the middle; one that waits for all without a " +
      "bound is killed with everything in it.",
    "The order matters: stop accepting requests, let those under way end, then close the " +
      "pool. Closed first, the pool turns away the very requests that are to be finished.",
    "A pool that has been closed must come to an end on its own: nobody left waiting, every " +
      "dial that is still under way closed when it ends, no timer that keeps the process alive.",
  ],
  formula: [
    "drainTimeoutMs < time until the kill - time until the load balancer stops sending",
    "lost = what is still under way when the drain ends; 0 if the longest statement is shorter",
  ],
  settings: `process.once("SIGTERM", async () => {
  server.close(); // no new requests; those under way go on
  await once(server, "close");
  await db.close({ drainTimeoutMs: 10_000 }); // the default
});`,
  names: {
    go:
      "http.Server.Shutdown, then DB.Close, which does not wait for what is in use; " +
      "pgxpool.Close waits, without a bound.",
    pg: "pool.end waits for what is checked out, without a bound.",
    hikari: "close, which aborts what is in use.",
  },
  caveats: [
    "A load balancer goes on sending for some seconds after SIGTERM. Fail the readiness check " +
      "first, and wait.",
    "Statements without a limit of time can outlast any drain: give them one.",
    "Close what keeps connections open by itself, such as a Listener, too.",
  ],
};

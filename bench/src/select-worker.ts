// One client of the point selects (P1 to P3), in a process of its own. Its arguments are the name
// of the client and the number of its connections.

import { accessFromEnvironment } from "./access.ts";
import { type Client, type ClientName, openClient } from "./clients.ts";
import { collectGarbage, type Figures, serve } from "./contest.ts";

const CALLERS = 64;
/** Before a round counts: to connect everywhere, and to prepare. */
const WARM_UP_MS = 300;

const access = accessFromEnvironment();
const [name, connections] = process.argv.slice(2);

/** Many callers, each with one query after the other, for so long. Gives how many were answered. */
async function callAll(client: Client, durationMs: number): Promise<number> {
  const endsAtMs = performance.now() + durationMs;
  let count = 0;
  const call = async () => {
    do {
      const balance = await client.balance(1 + Math.floor(Math.random() * access.rows));
      if (balance !== 0) throw new Error(`an account holds ${balance}, which nobody has put there`);
      count += 1;
    } while (performance.now() < endsAtMs);
  };
  await Promise.all(Array.from({ length: CALLERS }, call));
  return count;
}

/**
 * One round. Each has connections of its own, so that no client is measured on what it may have
 * gathered in the rounds before.
 */
async function select(durationMs: number): Promise<Figures> {
  const client = await openClient(name as ClientName, access, Number(connections));
  try {
    await callAll(client, WARM_UP_MS);
    collectGarbage();
    const cpu = process.cpuUsage();
    const startedAtMs = performance.now();
    const count = await callAll(client, durationMs);
    const elapsedMs = performance.now() - startedAtMs;
    const { user, system } = process.cpuUsage(cpu);
    return { rate: (count / elapsedMs) * 1000, cpuUs: (user + system) / count };
  } finally {
    await client.close();
  }
}

serve({ select });

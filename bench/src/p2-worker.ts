// One client of P2, in a process of its own.

import { accessFromEnvironment } from "./accounts.ts";
import { type ClientName, openClient } from "./clients.ts";
import { collectGarbage, type Figures, serve } from "./contest.ts";

const CONNECTIONS = 10;
const CALLERS = 64;

const access = accessFromEnvironment();
const client = await openClient(process.argv[2] as ClientName, access, CONNECTIONS);

/** Many callers, each with one query after the other, for so long. */
async function select(durationMs: number): Promise<Figures> {
  collectGarbage();
  const cpu = process.cpuUsage();
  const startedAtMs = performance.now();
  const endsAtMs = startedAtMs + durationMs;
  let count = 0;
  const call = async () => {
    do {
      const balance = await client.balance(1 + Math.floor(Math.random() * access.rows));
      if (balance !== 0) throw new Error(`an account holds ${balance}, which nobody has put there`);
      count += 1;
    } while (performance.now() < endsAtMs);
  };
  await Promise.all(Array.from({ length: CALLERS }, call));
  const elapsedMs = performance.now() - startedAtMs;
  const { user, system } = process.cpuUsage(cpu);
  return { rate: (count / elapsedMs) * 1000, cpuUs: (user + system) / count };
}

serve({ select });

// One client of P6, in a process of its own.

import { accessFromEnvironment } from "./accounts.ts";
import { collectGarbage, type Figures, serve } from "./contest.ts";
import { type Inserter, type InserterName, openInserter } from "./p6-inserters.ts";

/** How often a round inserts: it counts the mean. */
const TIMES = 4;

let opened: Promise<Inserter> | undefined;

/** One round, into a table that is empty each time. */
async function insert(rowCount: number): Promise<Figures> {
  opened ??= openInserter(process.argv[2] as InserterName, accessFromEnvironment(), rowCount);
  const inserter = await opened;
  let ms = 0;
  let cpuMs = 0;
  collectGarbage();
  // As in P5, the first does not count.
  for (let i = -1; i < TIMES; i++) {
    await inserter.run("DROP TABLE IF EXISTS inserted");
    await inserter.run("CREATE TABLE inserted (id int, name text)");
    if (i === 0) ms = cpuMs = 0;
    const cpu = process.cpuUsage();
    const startedAtMs = performance.now();
    await inserter.insert();
    ms += performance.now() - startedAtMs;
    const { user, system } = process.cpuUsage(cpu);
    cpuMs += (user + system) / 1000;
  }
  return { ms: ms / TIMES, cpuMs: cpuMs / TIMES };
}

serve({ insert });

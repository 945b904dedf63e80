// One client of P5, in a process of its own.

import { accessFromEnvironment } from "./accounts.ts";
import { collectGarbage, type Figures, serve } from "./contest.ts";
import { type Copier, type CopierName, openCopier } from "./p5-copiers.ts";

/** How often a round copies: it counts the mean. */
const COPIES = 4;

let opened: Promise<Copier> | undefined;

/** One round, into a table that is empty each time. */
async function copy(rowCount: number): Promise<Figures> {
  opened ??= openCopier(process.argv[2] as CopierName, accessFromEnvironment(), rowCount);
  const copier = await opened;
  let ms = 0;
  let cpuMs = 0;
  collectGarbage();
  // The first copy after that does not count: the sweeping, which goes on beside, takes a core.
  for (let i = -1; i < COPIES; i++) {
    await copier.run("DROP TABLE IF EXISTS copied");
    await copier.run("CREATE TABLE copied (id int, name text)");
    if (i === 0) ms = cpuMs = 0;
    const cpu = process.cpuUsage();
    const startedAtMs = performance.now();
    await copier.copy();
    ms += performance.now() - startedAtMs;
    const { user, system } = process.cpuUsage(cpu);
    cpuMs += (user + system) / 1000;
  }
  return { ms: ms / COPIES, cpuMs: cpuMs / COPIES };
}

serve({ copy });

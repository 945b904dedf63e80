// How much memory server processes take: what the system's counters say, summed.

import { readFile } from "node:fs/promises";

/** Memory of one or more processes, in bytes. */
export interface ProcessMemory {
  /** Resident, what is shared counted in each. */
  readonly rss: number;
  /** Resident, what is shared divided among those who share it. */
  readonly pss: number;
  /** Written to, and nobody else's: what is free again when the process ends. */
  readonly privateDirty: number;
}

/**
 * Reads /proc/PID/smaps_rollup of each process. `undefined` where there is no such file, or where
 * this user may not read it: then nothing is guessed.
 */
export async function readMemory(pids: readonly number[]): Promise<ProcessMemory | undefined> {
  let [rss, pss, privateDirty] = [0, 0, 0];
  for (const pid of pids) {
    const text = await readFile(`/proc/${pid}/smaps_rollup`, "utf8").catch(() => "");
    const one = parseRollup(text);
    if (one === undefined) return undefined;
    rss += one.rss;
    pss += one.pss;
    privateDirty += one.privateDirty;
  }
  return { rss, pss, privateDirty };
}

/** Reads the text of smaps_rollup. */
export function parseRollup(text: string): ProcessMemory | undefined {
  const bytes = (name: string): number | undefined => {
    const found = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(text);
    return found === null ? undefined : Number(found[1]) * 1024;
  };
  const rss = bytes("Rss");
  const pss = bytes("Pss");
  const privateDirty = bytes("Private_Dirty");
  if (rss === undefined || pss === undefined || privateDirty === undefined) return undefined;
  return { rss, pss, privateDirty };
}

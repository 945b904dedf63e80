// The machine and this process: what they are, and how busy. Reads /proc where there is one;
// elsewhere the figures that need it are left out, never guessed.

import { readdir, readFile } from "node:fs/promises";
import { cpus, loadavg, platform, release, totalmem } from "node:os";
import { type IntervalHistogram, monitorEventLoopDelay, performance } from "node:perf_hooks";
import { coresOfMachine, type Pinning, pinning } from "../server/affinity.ts";

/** What the run took place on. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  /** On which of them what ran, where this process and the server were kept apart. */
  readonly pinned?: Pinning;
  readonly memoryBytes: number;
  readonly os: string;
  readonly node: string;
  /** Load average over the minute before the run; absent on Windows. */
  readonly loadAverage?: number;
}

/** Describes this machine. */
export function describeMachine(): Machine {
  const load = loadavg()[0] ?? 0;
  const pinned = pinning();
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: coresOfMachine(),
    ...(pinned === undefined ? {} : { pinned }),
    memoryBytes: totalmem(),
    os: `${platform()} ${release()}`,
    node: process.version,
    ...(platform() === "win32" ? {} : { loadAverage: Math.round(load * 100) / 100 }),
  };
}

/** CPU time of the whole machine, in clock ticks. */
export interface CpuTicks {
  readonly total: number;
  /** Spent on programs and on the system itself. */
  readonly busy: number;
  readonly steal: number;
}

/** The machine's CPU time so far; undefined where /proc/stat does not tell. */
export async function readCpuTicks(): Promise<CpuTicks | undefined> {
  const text = await readProc("/proc/stat");
  const fields = text?.split("\n", 1)[0]?.trim().split(/\s+/).slice(1, 9).map(Number);
  if (fields === undefined || fields.length < 8) return undefined;
  const total = fields.reduce((sum, ticks) => sum + ticks, 0);
  const [, , , idle = 0, ioWait = 0, , , steal = 0] = fields;
  return { total, busy: total - idle - ioWait - steal, steal };
}

/** CPU time so far: of the machine, of this process, and of the server where it can be seen. */
export interface CpuReading {
  readonly machine: CpuTicks | undefined;
  readonly clientMs: number;
  readonly serverMs: number | undefined;
  /**
   * Of this process, the server, and all programs that were started for the lab: poolers, proxies,
   * other servers. undefined where the server's is.
   */
  readonly ownMs: number | undefined;
}

/**
 * Reads all that there is to read. `postmasterPid` is undefined for a server that is elsewhere or
 * somebody else's.
 */
export async function readCpu(postmasterPid: number | undefined): Promise<CpuReading> {
  const { user, system } = process.cpuUsage();
  const isSeen = postmasterPid !== undefined;
  return {
    machine: await readCpuTicks(),
    clientMs: (user + system) / 1000,
    serverMs: isSeen ? await readTreeCpuMs(postmasterPid) : undefined,
    ownMs: isSeen ? await readFamilyCpuMs([process.pid, postmasterPid]) : undefined,
  };
}

/**
 * Shares of the machine's CPU time between two readings that did not go to this process, the server
 * and what else was started for the lab.
 */
export interface CpuLost {
  /** What the host gave to others; undefined where the system does not tell. */
  readonly stealRatio: number | undefined;
  /** What other programs took; undefined where that or the server's share is not known. */
  readonly othersRatio: number | undefined;
}

/** Compares two readings. */
export function cpuLost(before: CpuReading, after: CpuReading): CpuLost {
  if (before.machine === undefined || after.machine === undefined) {
    return { stealRatio: undefined, othersRatio: undefined };
  }
  const total = Math.max(1, after.machine.total - before.machine.total);
  const stealRatio = (after.machine.steal - before.machine.steal) / total;
  if (before.ownMs === undefined || after.ownMs === undefined) {
    return { stealRatio, othersRatio: undefined };
  }
  const busy = after.machine.busy - before.machine.busy;
  const ownTicks = (after.ownMs - before.ownMs) / TICK_MS;
  return { stealRatio, othersRatio: Math.max(0, busy - ownTicks) / total };
}

const TICK_MS = 10;

/**
 * CPU time in milliseconds of a process, of its children that have ended, and of those that live:
 * of a PostgreSQL server when `pid` is its main process. undefined where /proc does not tell. Steps
 * of 10 ms for each process.
 */
export async function readTreeCpuMs(pid: number): Promise<number | undefined> {
  let parent = await readStat(pid);
  for (let tries = 1; parent !== undefined; tries++) {
    const livingTicks = await readChildTicks(pid);
    const again = await readStat(pid);
    // A child that ended in between was counted nowhere, or twice.
    if (again?.ended === parent.ended || tries === TREE_TRIES) {
      return (parent.own + parent.ended + livingTicks) * TICK_MS;
    }
    parent = again;
  }
  return undefined;
}

/** Children end one by one, so that a few tries are enough. */
const TREE_TRIES = 20;

async function readChildTicks(pid: number): Promise<number> {
  let ticks = 0;
  for (const { stat } of await readAllStats()) {
    if (stat.parentPid === pid) ticks += stat.own + stat.ended;
  }
  return ticks;
}

/**
 * CPU time in milliseconds of processes and all that descend from them, each once, also if one of
 * them descends from another. undefined where /proc does not tell.
 */
async function readFamilyCpuMs(roots: readonly number[]): Promise<number | undefined> {
  const all = await readAllStats();
  if (all.length === 0) return undefined;
  const family = new Set<number>(roots);
  // A child may have a lower number than its parent, so that one pass is not enough.
  for (let known = -1; known !== family.size; ) {
    known = family.size;
    for (const { pid, stat } of all) if (family.has(stat.parentPid)) family.add(pid);
  }
  let ticks = 0;
  for (const { pid, stat } of all) if (family.has(pid)) ticks += stat.own + stat.ended;
  return ticks * TICK_MS;
}

/** Of all processes that can be seen. */
async function readAllStats(): Promise<{ readonly pid: number; readonly stat: ProcessStat }[]> {
  const entries = await readdir("/proc").catch(() => []);
  const pids = entries.filter((name) => /^\d+$/.test(name)).map(Number);
  const stats = await Promise.all(pids.map(readStat));
  return pids.flatMap((pid, at) => {
    const stat = stats[at];
    return stat === undefined ? [] : [{ pid, stat }];
  });
}

/** In ticks: of the process itself, and of its children that have ended. */
interface ProcessStat {
  readonly parentPid: number;
  readonly own: number;
  readonly ended: number;
}

/** The parent of a process on this machine; undefined where /proc does not tell. */
export async function parentPid(pid: number): Promise<number | undefined> {
  return (await readStat(pid))?.parentPid;
}

async function readStat(pid: number): Promise<ProcessStat | undefined> {
  const text = await readProc(`/proc/${pid}/stat`);
  // The name, in parentheses, may hold spaces: the fields are counted from its end.
  const fields = text?.slice(text.lastIndexOf(")") + 2).split(" ");
  if (fields === undefined || fields.length < 15) return undefined;
  const field = (at: number): number => Number(fields[at] ?? 0);
  return { parentPid: field(1), own: field(11) + field(12), ended: field(13) + field(14) };
}

async function readProc(path: string): Promise<string | undefined> {
  return readFile(path, "utf8").catch(() => undefined);
}

/** Watches this process's event loop while an arm runs. */
export class LoopWatch {
  readonly #delay: IntervalHistogram = monitorEventLoopDelay({ resolution: 1 });
  #begun = performance.eventLoopUtilization();
  #cpu = process.cpuUsage();

  constructor() {
    this.#delay.enable();
  }

  /** What was seen since the start or the last call. */
  lap(): { utilisationRatio: number; delayP99Ms: number; clientCpuMs: number } {
    const utilisationRatio = performance.eventLoopUtilization(this.#begun).utilization;
    const cpu = process.cpuUsage(this.#cpu);
    // The monitor's own period of 1 ms is part of what it records.
    const delayP99Ms =
      this.#delay.count === 0 ? 0 : Math.max(0, this.#delay.percentile(99) / 1e6 - 1);
    this.#begun = performance.eventLoopUtilization();
    this.#cpu = process.cpuUsage();
    this.#delay.reset();
    return { utilisationRatio, delayP99Ms, clientCpuMs: (cpu.user + cpu.system) / 1000 };
  }

  stop(): void {
    this.#delay.disable();
  }
}

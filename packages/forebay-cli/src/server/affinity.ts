// On which processors this process and the programs that it starts run. Kept apart, neither takes
// the other's time, and what the operating system would move about stays where it is.

import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { availableParallelism } from "node:os";

/** Processors, by the numbers that the system gives them. */
export interface Pinning {
  /** Where this process's event loop runs; its helper threads are free. */
  readonly self: number;
  /** Where the servers and proxies run that this process starts. */
  readonly programs: readonly number[];
}

/** Before anything was pinned: afterwards the system counts one. */
const CORES = availableParallelism();

let pinned: Pinning | undefined;

/**
 * Gives the event loop the first of the processors that this process may use, and the programs that
 * custodians start from now on the others. Nothing happens where there are fewer than two, or where
 * the system has no `taskset` (Linux's util-linux has it).
 */
export function pinProcessors(): void {
  const [first, ...others] = allowedProcessors("self") ?? [];
  if (first === undefined || others.length === 0) return;
  const own = spawnSync("taskset", ["-cp", String(first), String(process.pid)]);
  if (own.status === 0) pinned = { self: first, programs: others };
}

/** What `pinProcessors` has done; undefined where it has done nothing. */
export function pinning(): Pinning | undefined {
  return pinned;
}

/** A command line, so that what it starts runs on the processors of programs. */
export function onTheirProcessors(file: string, args: readonly string[]): [string, string[]] {
  if (pinned === undefined) return [file, [...args]];
  return ["taskset", ["-c", pinned.programs.join(","), file, ...args]];
}

/** The same on all processors: for a process that is to find its own. */
export function onAllProcessors(file: string, args: readonly string[]): [string, string[]] {
  if (pinned === undefined) return [file, [...args]];
  const all = [pinned.self, ...pinned.programs];
  return ["taskset", ["-c", all.join(","), file, ...args]];
}

/** How many processors this machine lets this process use, pinned or not. */
export function coresOfMachine(): number {
  return CORES;
}

/** How many processors a process may use; where the system does not tell, those of the machine. */
export function coresOf(pid: number): number {
  return allowedProcessors(pid)?.length ?? CORES;
}

/** The processors that a process may use; undefined where the system does not tell. */
export function allowedProcessors(pid: number | "self"): number[] | undefined {
  let status: string;
  try {
    status = fs.readFileSync(`/proc/${pid}/status`, "utf8");
  } catch {
    return undefined;
  }
  const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(status)?.[1];
  return list === undefined ? undefined : parseProcessors(list);
}

/** The processors of a list such as `0-2,5`. */
export function parseProcessors(list: string): number[] {
  return list.split(",").flatMap((part) => {
    const [from = Number.NaN, to = from] = part.split("-").map(Number);
    return Array.from({ length: to - from + 1 }, (_, index) => from + index);
  });
}

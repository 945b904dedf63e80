// What a bench measures. Types only.

import type { Verdict } from "./verdict.ts";

/** A client that is measured: ours, or one of the user's project. */
export type ClientName = "forebay" | "pg" | "postgres";

/** How requests come. */
export type BenchLoad =
  /** Each of so many callers asks again as soon as it is served. */
  | { readonly kind: "closed"; readonly callers: number }
  /** They come when they come, on average so many a second: Poisson. */
  | { readonly kind: "open"; readonly ratePerS: number };

/** What one arm gave: one client under one load. */
export interface ArmFigures {
  readonly client: ClientName;
  readonly load: BenchLoad;
  /** Requests that were answered. The figures for each request are of all that were begun. */
  readonly ops: number;
  readonly durationMs: number;
  readonly opsPerS: number;
  /** Closed: from the call. Open: from when the request was due. */
  readonly meanMs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  /** Requests that had to wait for a connection, for each request; only Forebay's pool tells. */
  readonly waitsPerOp?: number;
  readonly waitMsPerOp?: number;
  /** How late the requests of an open load were begun: timers, and a loop that was held up. */
  readonly lateMsPerOp?: number;
  /** Share of time in which this process's event loop was busy. */
  readonly loopUtilisationRatio: number;
  readonly clientCpuMsPerOp: number;
  /** Absent where the server's processes cannot be seen. */
  readonly serverCpuMsPerOp?: number;
  /** Share of the CPU time of all cores of the server's machine. Absent likewise. */
  readonly serverCpuRatio?: number;
  /** Share of this machine's CPU time that other programs took. Absent likewise. */
  readonly othersCpuRatio?: number;
  /** |R - N/X| / R, of closed loads: the harness's check of itself. */
  readonly lawErrorRatio?: number;
  /** Requests that an open load begun and never saw end, or never begun: it was too much. */
  readonly unfinished: number;
  /** True when it was stopped before its end. */
  readonly isPartial: boolean;
  /** What limits it; only of Forebay's arms. */
  readonly verdict?: Verdict;
}

// How many connections are in use, and how many requests wait, over time: in bins, for pictures,
// and as an exact integral.

/** What happened in one stretch of time. */
export interface TimelineBin {
  /** The beginning, from the beginning of all. */
  readonly atMs: number;
  /** Averages over the stretch. */
  readonly meanInUse: number;
  readonly meanWaiting: number;
  /** The most at any moment. */
  readonly mostInUse: number;
  readonly mostWaiting: number;
}

interface OpenBin {
  inUseMs: number;
  waitingMs: number;
  mostInUse: number;
  mostWaiting: number;
}

/** Gathers a timeline. What is before its beginning or after its end is left out. */
export class Timeline {
  readonly #fromMs: number;
  readonly #durationMs: number;
  readonly #bins: readonly OpenBin[];
  #notedAtMs = 0;

  constructor(fromMs: number, durationMs: number, bins: number) {
    this.#fromMs = fromMs;
    this.#durationMs = durationMs;
    this.#bins = Array.from({ length: bins }, () => ({
      inUseMs: 0,
      waitingMs: 0,
      mostInUse: 0,
      mostWaiting: 0,
    }));
  }

  /** So much it was from the last note until `nowMs`. */
  note(nowMs: number, inUse: number, waiting: number): void {
    const widthMs = this.#durationMs / this.#bins.length;
    let atMs = Math.max(0, this.#notedAtMs - this.#fromMs);
    const untilMs = Math.min(nowMs - this.#fromMs, this.#durationMs);
    this.#notedAtMs = nowMs;
    let index = Math.floor(atMs / widthMs);
    while (atMs < untilMs) {
      const bin = this.#bins[index];
      if (bin === undefined) return;
      const nextMs = Math.min(untilMs, (index + 1) * widthMs);
      bin.inUseMs += inUse * (nextMs - atMs);
      bin.waitingMs += waiting * (nextMs - atMs);
      bin.mostInUse = Math.max(bin.mostInUse, inUse);
      bin.mostWaiting = Math.max(bin.mostWaiting, waiting);
      atMs = nextMs;
      index += 1;
    }
  }

  /** Connections in use on average over the whole time. */
  get meanInUse(): number {
    return this.#bins.reduce((sum, bin) => sum + bin.inUseMs, 0) / this.#durationMs;
  }

  /** The bins as they are now. */
  get bins(): readonly TimelineBin[] {
    const widthMs = this.#durationMs / this.#bins.length;
    return this.#bins.map((bin, index) => ({
      atMs: index * widthMs,
      meanInUse: bin.inUseMs / widthMs,
      meanWaiting: bin.waitingMs / widthMs,
      mostInUse: bin.mostInUse,
      mostWaiting: bin.mostWaiting,
    }));
  }
}

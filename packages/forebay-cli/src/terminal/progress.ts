// Shows how far a long run is: one line that is rewritten on a terminal, plain lines now and then
// elsewhere.

import { styleText } from "node:util";

/** What a display writes to: standard error, or a stand-in for it. */
export interface ProgressStream {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  write(text: string): unknown;
}

/** How a display is set up. */
export interface ProgressOptions {
  /** @defaultValue `process.stderr`, so that standard output holds results only */
  readonly stream?: ProgressStream | undefined;
  /** `quiet` shows nothing. @defaultValue `shown` */
  readonly mode?: "shown" | "quiet" | undefined;
  /** Where TERM and NO_COLOR are looked up. @defaultValue `process.env` */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /** Monotonic time in milliseconds. @defaultValue `performance.now` */
  readonly nowMs?: (() => number) | undefined;
}

const BAR_WIDTH = 20;
const COLUMNS_DEFAULT = 80;
/** Seldom enough not to disturb what is measured. */
const REDRAW_EVERY_MS = 1_000;
/** Between two plain lines about the same thing. */
const PLAIN_EVERY_MS = 30_000;

/** A progress display. */
export interface Progress {
  /**
   * Shows a new state. `fraction` is of the whole, 0 to 1; absent where that is not known. `text`
   * is one line.
   */
  update(text: string, fraction?: number): void;
  /**
   * Takes the display away, so that something else may be written. The next `update` brings it
   * back.
   */
  clear(): void;
  /** Takes the display away for good. No effect on a second call. */
  end(): void;
}

/** Makes a progress display that suits the stream. It never keeps the process alive. */
export function createProgress(options: ProgressOptions = {}): Progress {
  const { stream = process.stderr, mode = "shown", env = process.env } = options;
  const nowMs = options.nowMs ?? (() => performance.now());
  if (mode === "quiet") return new Silent();
  if (stream.isTTY === true && env["TERM"] !== "dumb") return new LiveLine(stream, env, nowMs);
  return new PlainLines(stream, nowMs);
}

class Silent implements Progress {
  update(): void {}
  clear(): void {}
  end(): void {}
}

class LiveLine implements Progress {
  readonly #stream: ProgressStream;
  readonly #nowMs: () => number;
  readonly #startMs: number;
  readonly #timer: NodeJS.Timeout;
  readonly #hasColor: boolean;
  #text: string | undefined;
  #fraction: number | undefined;
  #isDrawn = false;

  constructor(
    stream: ProgressStream,
    env: Readonly<Record<string, string | undefined>>,
    nowMs: () => number,
  ) {
    this.#stream = stream;
    this.#nowMs = nowMs;
    this.#startMs = nowMs();
    this.#hasColor = (env["NO_COLOR"] ?? "") === "";
    this.#timer = setInterval(() => this.#draw(), REDRAW_EVERY_MS);
    this.#timer.unref();
  }

  update(text: string, fraction?: number): void {
    this.#text = text;
    this.#fraction = fraction;
    this.#draw();
  }

  clear(): void {
    if (this.#isDrawn) this.#stream.write("\r\u001B[K");
    this.#isDrawn = false;
    this.#text = undefined;
  }

  end(): void {
    clearInterval(this.#timer);
    this.clear();
  }

  #draw(): void {
    if (this.#text === undefined) return;
    const elapsed = formatElapsed(this.#nowMs() - this.#startMs);
    const bar = this.#fraction === undefined ? "" : `${barOf(this.#fraction)} `;
    const columns = this.#stream.columns ?? COLUMNS_DEFAULT;
    // A line as wide as the terminal would wrap, and could not be taken away again.
    const room = Math.max(0, columns - 1 - bar.length - elapsed.length - 1);
    const coloured = this.#hasColor ? styleText("cyan", bar, { validateStream: false }) : bar;
    this.#stream.write(`\r\u001B[K${coloured}${elapsed} ${truncate(this.#text, room)}`);
    this.#isDrawn = true;
  }
}

class PlainLines implements Progress {
  readonly #stream: ProgressStream;
  readonly #nowMs: () => number;
  #text = "";
  #writtenMs = Number.NEGATIVE_INFINITY;

  constructor(stream: ProgressStream, nowMs: () => number) {
    this.#stream = stream;
    this.#nowMs = nowMs;
  }

  update(text: string, fraction?: number): void {
    const nowMs = this.#nowMs();
    if (text === this.#text && nowMs - this.#writtenMs < PLAIN_EVERY_MS) return;
    this.#text = text;
    this.#writtenMs = nowMs;
    const percent = fraction === undefined ? "" : `${percentOf(fraction).padStart(4)}  `;
    this.#stream.write(`${percent}${text}\n`);
  }

  clear(): void {}
  end(): void {}
}

function barOf(fraction: number): string {
  const filled = Math.round(Math.min(1, Math.max(0, fraction)) * BAR_WIDTH);
  const bar = "█".repeat(filled) + "░".repeat(BAR_WIDTH - filled);
  return `${bar} ${percentOf(fraction).padStart(4)}`;
}

function percentOf(fraction: number): string {
  return `${Math.floor(Math.min(1, Math.max(0, fraction)) * 100)}%`;
}

function formatElapsed(elapsedMs: number): string {
  const seconds = Math.floor(elapsedMs / 1_000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

function truncate(text: string, columns: number): string {
  return text.length <= columns ? text : `${text.slice(0, Math.max(0, columns - 1))}…`;
}

// Shows how far a long run is: two lines that are rewritten on a terminal, plain lines elsewhere,
// one for each thing that begins.

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

/** What is under way. */
export interface ProgressState {
  /** What has begun, in one line. Elsewhere than on a terminal it is all that is shown. */
  readonly text: string;
  /** What of it is being done just now, in one line. */
  readonly detail?: string;
  /** How much of the whole is done, 0 to 1. */
  readonly fraction?: number | undefined;
  /** How long the rest of the whole will take. */
  readonly remainingMs?: number;
}

const BAR_WIDTH = 20;
const COLUMNS_DEFAULT = 80;
/** Seldom enough not to disturb what is measured. */
const REDRAW_EVERY_MS = 1_000;
/** Takes away the line of the cursor, and what stands below it. */
const ERASE = "\r\u001B[J";
const UP = "\u001B[1A";

/** A progress display. */
export interface Progress {
  /** Shows a new state. */
  update(state: ProgressState): void;
  /** Writes a line that stays, and shows the state again below it. */
  line(text: string): void;
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
  if (stream.isTTY === true && env["TERM"] !== "dumb") return new LiveLines(stream, env, nowMs);
  return new PlainLines(stream);
}

class Silent implements Progress {
  update(): void {}
  line(): void {}
  clear(): void {}
  end(): void {}
}

class LiveLines implements Progress {
  readonly #stream: ProgressStream;
  readonly #nowMs: () => number;
  readonly #startMs: number;
  readonly #timer: NodeJS.Timeout;
  readonly #hasColor: boolean;
  #state: ProgressState | undefined;
  #updatedMs = 0;
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

  update(state: ProgressState): void {
    this.#state = state;
    this.#updatedMs = this.#nowMs();
    this.#draw();
  }

  line(text: string): void {
    this.#stream.write(`${this.#isDrawn ? ERASE : ""}${text}\n`);
    this.#isDrawn = false;
    this.#draw();
  }

  clear(): void {
    if (this.#isDrawn) this.#stream.write(ERASE);
    this.#isDrawn = false;
    this.#state = undefined;
  }

  end(): void {
    clearInterval(this.#timer);
    this.clear();
  }

  #draw(): void {
    if (this.#state === undefined) return;
    const { text, detail, fraction } = this.#state;
    const bar = fraction === undefined ? "" : `${barOf(fraction)} `;
    const times = `${this.#times()} `;
    // A line as wide as the terminal would wrap, and could not be taken away again.
    const room = Math.max(0, (this.#stream.columns ?? COLUMNS_DEFAULT) - 1);
    const first = truncate(`${bar}${times}${text}`, room);
    // Colour takes no room.
    const shown =
      this.#hasColor && first.startsWith(bar)
        ? this.#dye("cyan", bar) + first.slice(bar.length)
        : first;
    const second =
      detail === undefined || detail === ""
        ? ""
        : `\n${this.#dye("dim", truncate(`  ${detail}`, room))}${UP}`;
    // The cursor stays in the first line, from where both can be taken away.
    this.#stream.write(`${ERASE}${shown}${second}\r`);
    this.#isDrawn = true;
  }

  #dye(style: "cyan" | "dim", text: string): string {
    return this.#hasColor ? styleText(style, text, { validateStream: false }) : text;
  }

  /** The time since the display was made, and the time that is left. */
  #times(): string {
    const elapsed = clockTime(this.#nowMs() - this.#startMs);
    const remainingMs = this.#state?.remainingMs;
    if (remainingMs === undefined) return elapsed;
    const leftMs = Math.max(0, remainingMs - (this.#nowMs() - this.#updatedMs));
    return `${elapsed}, ${clockTime(leftMs)} left`;
  }
}

class PlainLines implements Progress {
  readonly #stream: ProgressStream;
  #text = "";

  constructor(stream: ProgressStream) {
    this.#stream = stream;
  }

  update({ text }: ProgressState): void {
    if (text === this.#text) return;
    this.#text = text;
    this.line(text);
  }

  line(text: string): void {
    this.#stream.write(`${text}\n`);
  }

  clear(): void {}
  end(): void {}
}

function barOf(fraction: number): string {
  const share = Math.min(1, Math.max(0, fraction));
  const filled = Math.round(share * BAR_WIDTH);
  const bar = "█".repeat(filled) + "░".repeat(BAR_WIDTH - filled);
  return `${bar} ${`${Math.floor(share * 100)}%`.padStart(4)}`;
}

function clockTime(ms: number): string {
  const seconds = Math.floor(ms / 1_000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

function truncate(text: string, columns: number): string {
  return text.length <= columns ? text : `${text.slice(0, Math.max(0, columns - 1))}…`;
}

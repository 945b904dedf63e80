// This process's side of the custodian (libexec/custodian.mjs): a helper process that owns a
// throwaway directory and one program running in it. It ends both when this process ends, however
// that comes about, so nothing here needs exit or signal handlers.

import { spawn, type ChildProcess } from "node:child_process";
import * as fs from "node:fs";
import type { Socket } from "node:net";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Account } from "./account.ts";
import { onTheirProcessors } from "./affinity.ts";

// The same path from src/server and from dist/server.
const PROGRAM = fileURLToPath(new URL("../../libexec/custodian.mjs", import.meta.url));

/** How long the custodian may take to end; longer than all its own steps together. */
const CLOSE_TIMEOUT_MS = 15_000;

/** A program for the custodian to run. */
export interface Program {
  readonly file: string;
  readonly args: readonly string[];
  /** The whole environment. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Receives standard output and standard error. */
  readonly log: string;
  readonly account?: Account | undefined;
}

/**
 * How a program ended: an exit code, or a signal. Both are `null` when the custodian itself was
 * lost.
 */
export interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
}

/** A program that was started. */
export interface Running {
  readonly pid: number;
  /** Resolves when the program has ended, for whatever reason. Never rejects. */
  readonly ended: Promise<Ended>;
}

type Message =
  | { readonly directory: string }
  | { readonly started: number }
  | ({ readonly ended: true } & Ended)
  | { readonly failed: string };

/**
 * The reason why a program could not be started at all: an error code of the operating system, such
 * as `EACCES`.
 */
export class SpawnError extends Error {
  readonly reason: string;

  constructor(reason: string) {
    super(`could not start: ${reason}`);
    this.name = "SpawnError";
    this.reason = reason;
  }
}

/** A throwaway directory and at most one program at a time running in it. */
export class Custodian {
  /** Removed by `close`. */
  readonly directory: string;
  readonly #child: ChildProcess;
  #closing = false;
  #pid: number | undefined;
  #onMessage: ((message: Message) => void) | undefined;
  readonly #gone: Promise<void>;

  /**
   * Starts a custodian; its directory is made in `parentDirectory`. Rejects when that is not
   * possible.
   */
  static async open(parentDirectory: string): Promise<Custodian> {
    const env = { ...process.env };
    delete env["NODE_OPTIONS"];
    const [file, args] = onTheirProcessors(process.execPath, [PROGRAM, parentDirectory]);
    const child = spawn(file, args, {
      cwd: parentDirectory,
      env,
      stdio: ["pipe", "pipe", "pipe"],
      // A session of its own: a Ctrl-C at the terminal is for this process, which then decides what
      // happens.
      detached: true,
      windowsHide: true,
    });
    let complaint = "";
    child.stderr.on("data", (chunk: Buffer) => (complaint = String(chunk)));
    const lines = createInterface({ input: child.stdout });
    return await new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", () => reject(new Error(`the custodian did not start: ${complaint}`)));
      lines.once("line", (line) => {
        const { directory } = JSON.parse(line) as { readonly directory: string };
        const custodian = new Custodian(child, directory);
        lines.on("line", (later) => custodian.#receive(JSON.parse(later) as Message));
        resolve(custodian);
      });
    });
  }

  private constructor(child: ChildProcess, directory: string) {
    this.#child = child;
    this.directory = directory;
    // A broken pipe means that the custodian is gone, which "exit" reports.
    child.stdin?.on("error", () => this.#onLost());
    this.#gone = new Promise((resolve) => {
      child.once("exit", () => {
        if (!this.#closing) this.#onLost();
        this.#onMessage?.({ ended: true, code: null, signal: null });
        resolve();
      });
    });
  }

  /**
   * Starts a program. The one before must have ended. Rejects with a `SpawnError` when it cannot be
   * started.
   */
  async run(program: Program): Promise<Running> {
    const { file, args, env, log, account } = program;
    return await new Promise((resolve, reject) => {
      let onEnded: (how: Ended) => void;
      const ended = new Promise<Ended>((settle) => (onEnded = settle));
      this.#onMessage = (message) => {
        if ("started" in message) {
          this.#pid = message.started;
          resolve({ pid: message.started, ended });
        } else if ("failed" in message) {
          reject(new SpawnError(message.failed));
        } else if ("ended" in message) {
          this.#pid = undefined;
          this.#onMessage = undefined;
          reject(new SpawnError("the custodian ended"));
          onEnded({ code: message.code, signal: message.signal });
        }
      };
      this.#child.stdin?.write(`${JSON.stringify({ file, args, env, log, ...account })}\n`);
    });
  }

  /**
   * Lets this process end although the custodian is still there; until then it keeps the process
   * alive.
   */
  unref(): void {
    this.#child.unref();
    for (const pipe of this.#pipes()) pipe.unref();
  }

  /** Ends the program, removes the directory, and resolves when both are gone. Never rejects. */
  async close(): Promise<void> {
    if (!this.#closing) {
      this.#closing = true;
      this.#child.ref();
      this.#child.stdin?.end();
    }
    const deadline = setTimeout(() => {
      this.#child.kill("SIGKILL");
      this.#onLost();
    }, CLOSE_TIMEOUT_MS);
    await this.#gone;
    clearTimeout(deadline);
  }

  #pipes(): Socket[] {
    const { stdin, stdout, stderr } = this.#child;
    return [stdin, stdout, stderr].filter((pipe) => pipe !== null) as unknown as Socket[];
  }

  #receive(message: Message): void {
    this.#onMessage?.(message);
  }

  /** Does the custodian's work when somebody has killed it. */
  #onLost(): void {
    const pid = this.#pid;
    this.#pid = undefined;
    // To PostgreSQL this means: end at once, but tidy up what only you can, such as shared memory.
    if (pid !== undefined && isAlive(pid)) process.kill(pid, "SIGQUIT");
    fs.rmSync(this.directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

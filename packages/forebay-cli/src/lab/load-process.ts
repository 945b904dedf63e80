// This process's side of libexec/load-process.mjs: a closed load by a process of its own.

import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { onAllProcessors } from "../server/affinity.ts";

const PROGRAM = fileURLToPath(new URL("../../libexec/load-process.mjs", import.meta.url));

/** What it is to do. */
export interface ProcessLoad {
  /** It goes to the process by a pipe, not by its command line, which others can read. */
  readonly url: string;
  readonly callers: number;
  /** Connections of its pool. */
  readonly size: number;
  readonly sql: string;
}

/** What one turn of it gave. */
export interface ProcessTurn {
  readonly requests: number;
  readonly tookMs: number;
  /** CPU time of the process. */
  readonly cpuMs: number;
  /** Requests that waited for a connection. */
  readonly waits: number;
}

type Message = ProcessTurn | { readonly ready: true } | { readonly failed: string };

/** A process that has its connections. One turn at a time. */
export class LoadProcess {
  readonly #child: ChildProcess;
  readonly #gone: Promise<void>;
  /** Why it has ended, once it has. */
  #end: string | undefined;
  #isBusy = false;
  /** Of the order that it is at. */
  #settle: ((message: Message) => void) | undefined;

  /** Starts one. The caller ends it. */
  constructor() {
    const env = { ...process.env };
    delete env["NODE_OPTIONS"];
    const [file, args] = onAllProcessors(process.execPath, [PROGRAM]);
    // A session of its own, so that a Ctrl-C is for this process, which then ends it.
    const child = spawn(file, args, { env, stdio: ["pipe", "pipe", "ignore"], detached: true });
    this.#child = child;
    // A broken pipe means that it has ended, which "exit" reports.
    child.stdin.on("error", () => undefined);
    const lines = createInterface({ input: child.stdout });
    lines.on("line", (line) => this.#settle?.(JSON.parse(line) as Message));
    this.#gone = new Promise((resolve) => {
      const onGone = (why: string): void => {
        this.#end ??= why;
        this.#settle?.({ failed: why });
        resolve();
      };
      child.once("error", ({ message }) => onGone(message));
      child.once("exit", () => onGone("it has ended"));
    });
  }

  /** Has it open its pool. Rejects when it cannot, and on abort. */
  async open(load: ProcessLoad, signal: AbortSignal): Promise<void> {
    await this.#order(load, signal);
  }

  /** Has its callers ask for `forMs`. Rejects when one fails, and on abort. */
  async turn(forMs: number, signal: AbortSignal): Promise<ProcessTurn> {
    const message = await this.#order({ forMs }, signal);
    if ("requests" in message) return message;
    throw new Error("the process for the load gave no figures");
  }

  /** Resolves once it is gone, at once also in the middle of a turn. */
  async end(): Promise<void> {
    if (this.#isBusy) this.#child.kill("SIGKILL");
    else this.#child.stdin?.end();
    await this.#gone;
  }

  async #order(order: object, signal: AbortSignal): Promise<Message> {
    signal.throwIfAborted();
    if (this.#end !== undefined) throw new Error(`the process for the load: ${this.#end}`);
    let onAbort = (): void => undefined;
    this.#isBusy = true;
    try {
      const message = await new Promise<Message>((resolve, reject) => {
        this.#settle = resolve;
        onAbort = () => reject(signal.reason as Error);
        signal.addEventListener("abort", onAbort);
        this.#child.stdin?.write(`${JSON.stringify(order)}\n`);
      });
      this.#isBusy = false;
      if ("failed" in message) {
        throw new Error(`the process for the load failed: ${message.failed}`);
      }
      return message;
    } finally {
      signal.removeEventListener("abort", onAbort);
      this.#settle = undefined;
    }
  }
}

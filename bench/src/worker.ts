// The parent's side of a process that is measured: starts it, gives it tasks, one at a time, and
// takes its answers.

import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface, type Interface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";

/** What a worker is asked to do: one of its jobs, with a number that the job gives a meaning to. */
export interface Task {
  readonly job: string;
  readonly amount: number;
}

/** What a worker answers: the figures of one round by name. */
export type Figures = Readonly<Record<string, number>>;

/** What is run, and the arguments that come before the worker's own. */
export interface Program {
  readonly command: string;
  readonly args: readonly string[];
}

/** How a worker is started. */
export interface WorkerOptions {
  /** For messages. */
  readonly name: string;
  /** @defaultValue this Node, with `module` */
  readonly program?: Program | undefined;
  /** The address of the module that this Node runs where there is no `program`. */
  readonly module: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

interface Answer {
  readonly figures?: Figures;
  readonly failure?: string;
}

/** A running process. The caller must `stop` it. */
export class Worker {
  readonly #name: string;
  readonly #process: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: Interface;

  private constructor(name: string, child: ChildProcessByStdio<Writable, Readable, null>) {
    this.#name = name;
    this.#process = child;
    // One that has ended is found out by its end, not by what could not be written to it.
    child.stdin.on("error", () => undefined);
    this.#lines = createInterface({ input: child.stdout });
  }

  /** Starts it, and waits until it says that it is there. */
  static async start({ name, program, module, args, env }: WorkerOptions): Promise<Worker> {
    const { command, args: before } = program ?? nodeWith(module);
    const child = spawn(command, [...before, ...args], {
      env: { ...process.env, ...env },
      stdio: ["pipe", "pipe", "inherit"],
    });
    const worker = new Worker(name, child);
    try {
      await worker.#answer();
    } catch (error) {
      worker.stop();
      throw error;
    }
    return worker;
  }

  /** Has it do a task, and gives what it found. */
  async ask(task: Task): Promise<Figures> {
    const answer = this.#answer();
    this.#process.stdin.write(`${JSON.stringify(task)}\n`);
    return await answer;
  }

  stop(): void {
    this.#process.kill("SIGKILL");
  }

  async #answer(): Promise<Figures> {
    const { exitCode, signalCode } = this.#process;
    if (exitCode !== null || signalCode !== null) throw this.#isGone();
    const ended = new AbortController();
    const { signal } = ended;
    const gone = once(this.#process, "exit", { signal }).then(() => {
      throw this.#isGone();
    });
    const told = this.#nextAnswer(signal);
    try {
      const { figures, failure } = await Promise.race([told, gone]);
      if (failure !== undefined) throw new Error(`${this.#name}: ${failure}`);
      return figures ?? {};
    } finally {
      ended.abort();
      await Promise.allSettled([told, gone]);
    }
  }

  #isGone(): Error {
    return new Error(`the worker of ${this.#name} ended too soon`);
  }

  async #nextAnswer(signal: AbortSignal): Promise<Answer> {
    for (;;) {
      const [line] = (await once(this.#lines, "line", { signal })) as [string];
      // Libraries print on the standard output too.
      if (/^\{"(figures|failure)":/.test(line)) return JSON.parse(line) as Answer;
      console.error(`${this.#name}: ${line}`);
    }
  }
}

/** This Node with what it was started with, so that it can run sources too. */
function nodeWith(module: string): Program {
  const args = [...process.execArgv, "--expose-gc", fileURLToPath(module)];
  return { command: process.execPath, args };
}

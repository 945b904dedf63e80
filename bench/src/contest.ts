// Runs contenders in turn, A B C A B C, each in a process of its own: so none meets the heap, the
// garbage or the compiled code of another, and a slow moment of the machine falls on all.

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** What a worker is asked to do: one of its jobs, with a number that the job gives a meaning to. */
export interface Task {
  readonly job: string;
  readonly amount: number;
}

/** What a worker answers: the figures of one round by name. */
export type Figures = Readonly<Record<string, number>>;

/** How a contest is run. */
export interface ContestOptions {
  /** The module that the workers run; see `serve`. */
  readonly worker: string;
  /** Each is the one argument of a worker. */
  readonly contenders: readonly string[];
  readonly tasks: readonly Task[];
  /** Of each generation. */
  readonly rounds: number;
  /**
   * How often the workers are started afresh: how fast a program is depends, by a tenth, on what
   * its compiler happened to inline when it was young. @defaultValue 1
   */
  readonly generations?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  onRound(round: number, contender: string): void;
}

/** The figures of all rounds, by contender, then by job and figure: `pg-pool`, `uncontended.ns`. */
export type Standings = ReadonlyMap<string, ReadonlyMap<string, readonly number[]>>;

/**
 * Runs a contest. In each generation, one round of each task comes before those that count, to warm
 * up.
 */
export async function runContest(options: ContestOptions): Promise<Standings> {
  const standings = new Map(options.contenders.map((name) => [name, new Map<string, number[]>()]));
  const { generations = 1 } = options;
  for (let generation = 0; generation < generations; generation++) {
    await runGeneration(options, standings, generation * options.rounds);
  }
  return standings;
}

async function runGeneration(
  options: ContestOptions,
  standings: ReadonlyMap<string, Map<string, number[]>>,
  roundsBefore: number,
): Promise<void> {
  const { worker, contenders, tasks, rounds, signal } = options;
  const workers = new Map<string, Worker>();
  try {
    for (const name of contenders) {
      workers.set(name, await Worker.start(worker, name, options.env ?? {}));
    }
    for (let round = 0; round <= rounds; round++) {
      for (const task of tasks) {
        for (const [name, one] of workers) {
          signal.throwIfAborted();
          options.onRound(roundsBefore + round, name);
          const figures = await one.ask(task);
          if (round > 0) note(standings.get(name), task.job, figures);
        }
      }
    }
  } finally {
    for (const one of workers.values()) one.stop();
  }
}

function note(series: Map<string, number[]> | undefined, job: string, figures: Figures): void {
  for (const [figure, value] of Object.entries(figures)) {
    const key = `${job}.${figure}`;
    const samples = series?.get(key);
    if (samples === undefined) series?.set(key, [value]);
    else samples.push(value);
  }
}

/** One series of the standings. Throws where there is none: a mistake in the benchmark. */
export function seriesOf(standings: Standings, contender: string, key: string): readonly number[] {
  const samples = standings.get(contender)?.get(key);
  if (samples === undefined) throw new Error(`no figure ${key} of ${contender} was measured`);
  return samples;
}

/**
 * The worker's side: does the tasks that it is asked for, one at a time, until the parent lets go.
 */
export function serve(jobs: Readonly<Record<string, (amount: number) => Promise<Figures>>>): void {
  process.on("message", (task: Task) => {
    const job = jobs[task.job];
    const run =
      job === undefined ? Promise.reject(new Error(`no job ${task.job}`)) : job(task.amount);
    run.then(
      (figures) => process.send?.({ figures }),
      (error: unknown) => process.send?.({ failure: String(error) }),
    );
  });
  process.once("disconnect", () => process.exit());
  process.send?.({ figures: {} });
}

/** Collects garbage, where the process was started so that it can. */
export function collectGarbage(): void {
  globalThis.gc?.();
}

interface Answer {
  readonly figures?: Figures;
  readonly failure?: string;
}

class Worker {
  readonly #name: string;
  readonly #process: ChildProcess;

  private constructor(name: string, child: ChildProcess) {
    this.#name = name;
    this.#process = child;
  }

  static async start(module: string, name: string, env: Readonly<Record<string, string>>) {
    const child = fork(fileURLToPath(module), [name], {
      execArgv: [...process.execArgv, "--expose-gc"],
      env: { ...process.env, ...env },
    });
    const worker = new Worker(name, child);
    await worker.#answer();
    return worker;
  }

  async ask(task: Task): Promise<Figures> {
    const answer = this.#answer();
    this.#process.send(task);
    return await answer;
  }

  stop(): void {
    this.#process.kill("SIGKILL");
  }

  async #answer(): Promise<Figures> {
    const ended = new AbortController();
    const gone = once(this.#process, "exit", { signal: ended.signal }).then(() => {
      throw new Error(`the worker of ${this.#name} ended too soon`);
    });
    const told = once(this.#process, "message", { signal: ended.signal });
    try {
      const [answer] = (await Promise.race([told, gone])) as [Answer];
      if (answer.failure !== undefined) throw new Error(`${this.#name}: ${answer.failure}`);
      return answer.figures ?? {};
    } finally {
      ended.abort();
      await Promise.allSettled([told, gone]);
    }
  }
}

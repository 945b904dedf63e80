// Runs contenders in turn, A B C A B C, each in a process of its own: so none meets the heap, the
// garbage or the compiled code of another, and a slow moment of the machine falls on all. A process
// is told its tasks on its standard input and answers on its standard output, a line of JSON each,
// so that it may be written in anything.

import { createInterface } from "node:readline";
import { type Figures, type Program, type Task, Worker } from "./worker.ts";

export type { Figures, Program, Task } from "./worker.ts";

/** One who is measured. */
export interface Contender {
  readonly name: string;
  /** @defaultValue this Node, with the contest's `worker` */
  readonly program?: Program | undefined;
  /** For the program. @defaultValue the name */
  readonly args?: readonly string[] | undefined;
}

/** How a contest is run. */
export interface ContestOptions {
  /** The module that the workers run; see `serve`. */
  readonly worker: string;
  /** A text is the name of one who runs `worker`. */
  readonly contenders: readonly (string | Contender)[];
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
  const contenders = options.contenders.map((one) =>
    typeof one === "string" ? { name: one } : one,
  );
  const standings = new Map(contenders.map(({ name }) => [name, new Map<string, number[]>()]));
  const { generations = 1 } = options;
  for (let generation = 0; generation < generations; generation++) {
    await runGeneration(options, contenders, standings, generation * options.rounds);
  }
  return standings;
}

async function runGeneration(
  options: ContestOptions,
  contenders: readonly Contender[],
  standings: ReadonlyMap<string, Map<string, number[]>>,
  roundsBefore: number,
): Promise<void> {
  const { worker, tasks, rounds, signal, env = {} } = options;
  const workers = new Map<string, Worker>();
  try {
    for (const { name, program, args } of contenders) {
      const one = await Worker.start({ name, program, module: worker, args: args ?? [name], env });
      workers.set(name, one);
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
  const answer = (one: object) => void process.stdout.write(`${JSON.stringify(one)}\n`);
  const lines = createInterface({ input: process.stdin });
  lines.on("line", (line) => {
    const task = JSON.parse(line) as Task;
    const job = jobs[task.job];
    const run =
      job === undefined ? Promise.reject(new Error(`no job ${task.job}`)) : job(task.amount);
    run.then(
      (figures) => answer({ figures }),
      (error: unknown) => answer({ failure: String(error) }),
    );
  });
  lines.once("close", () => process.exit());
  answer({ figures: {} });
}

/** Collects garbage, where the process can be told to. */
export function collectGarbage(): void {
  if (globalThis.gc !== undefined) globalThis.gc();
  else (globalThis as { readonly Bun?: BunGarbage }).Bun?.gc(true);
}

interface BunGarbage {
  gc(isAwaited: boolean): void;
}

// Scenario 16, one process and two: the same callers and connections, in one Node process and
// halved over two. What the second gains is what one thread could not give.

import { type Estimate, median, medianRatio, roundNote, sum, takeTurns } from "../compare.ts";
import { LoadProcess, type ProcessTurn } from "../load-process.ts";
import type { Arm, ScenarioContext } from "../scenario.ts";
import { counted, figure, withInterval } from "../words.ts";

/** What one and two processes gave. */
export interface ProcessesMeasured {
  /** Of all processes together. */
  readonly callers: number;
  readonly sql: string;
  /** By round; of each process of an arm. */
  readonly one: readonly (readonly ProcessTurn[])[];
  readonly two: readonly (readonly ProcessTurn[])[];
}

/** The load, as one process has it. */
export interface ProcessesPlan {
  /** As many as connections. An even number. */
  readonly callers: number;
  readonly sql: string;
  readonly rounds: number;
  readonly turnMs: number;
}

/** Runs one process and two in turns. Rejects on abort, and when a process fails. */
export async function runProcesses(
  context: ScenarioContext,
  plan: ProcessesPlan,
): Promise<ProcessesMeasured> {
  const { server, signal, steal } = context;
  const { callers, sql, rounds, turnMs } = plan;
  context.step("processes for the load", 1000);
  const start = async (count: number): Promise<LoadProcess[]> => {
    const processes = Array.from({ length: count }, () => new LoadProcess());
    for (const one of processes) context.defer(() => one.end());
    const each = callers / count;
    const load = { url: server.url, callers: each, size: each, sql };
    await Promise.all(processes.map((one) => one.open(load, signal)));
    return processes;
  };
  const groups = [await start(1), await start(2)];
  const [one = [], two = []] = await takeTurns({
    rounds: rounds + 1,
    signal,
    steal,
    arms: groups.map((processes) => (round: number) => {
      const what = counted(processes.length, "process", "processes");
      context.step(what, turnMs, roundNote(round, rounds));
      return Promise.all(processes.map((one) => one.turn(turnMs, signal)));
    }),
  });
  await Promise.all(groups.flat().map((one) => one.end()));
  // The first round meets cold code.
  return { callers, sql, one: one.slice(1), two: two.slice(1) };
}

function perSOf(turns: readonly ProcessTurn[]): number {
  return sum(turns.map(({ requests, tookMs }) => (requests / tookMs) * 1000));
}

/** The throughput of two over that of one. */
export function processesGain(
  { one, two }: ProcessesMeasured,
  { random }: ScenarioContext,
): Estimate {
  return medianRatio(one.map(perSOf), two.map(perSOf), random);
}

/** Both as a report shows them. */
export function processesArms(measured: ProcessesMeasured): Arm[] {
  return ([1, 2] as const).map((count) => {
    const rounds = count === 1 ? measured.one : measured.two;
    const all = rounds.flat();
    const requests = sum(all.map((turn) => turn.requests));
    const each = measured.callers / count;
    return {
      name: `${counted(count, "process", "processes")} of their own`,
      role: count === 1 ? "baseline" : "change",
      settings: { processes: count, callersEach: each, maxOpenConnsEach: each, sql: measured.sql },
      measures: {
        requests,
        queriesPerS: median(rounds.map(perSOf)),
        waitsPerQuery: sum(all.map((turn) => turn.waits)) / requests,
        clientCpuPerRequestMs: sum(all.map((turn) => turn.cpuMs)) / requests,
      },
    };
  });
}

/** What they show, as a sentence. */
export function processesSentence(
  { callers, one, two }: ProcessesMeasured,
  gain: Estimate,
  cores: number,
): string {
  return (
    `Two processes of ${callers / 2} callers gave ${withInterval(gain)} times the throughput of ` +
    `one of ${callers}: ${figure(median(two.map(perSOf)))} against ` +
    `${figure(median(one.map(perSOf)))} queries/s, on a machine of ` +
    `${counted(cores, "processor")} that the server needs as well. Where one thread is the ` +
    "bottleneck a second process helps, and no pool does; and each brings connections of its own."
  );
}

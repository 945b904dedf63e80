// What `forebay size` says: plain text, at most 80 columns.

import { counted, duration, figure, percent } from "../lab/words.ts";
import { wrapText } from "../terminal/wrap.ts";
import { activeMostFor, type Expectation, type SizeAnswer } from "./answer.ts";
import { type Comparison, TOLERANCE_RATIO } from "./check.ts";
import type { Simulation } from "./simulation.ts";
import type { Workload } from "./workload.ts";

/** What a size is printed from. */
export interface SizeFindings {
  readonly workload: Workload;
  readonly answer: SizeAnswer;
  readonly comparisons: readonly Comparison[];
  readonly simulation: Simulation;
}

/** The text, ending with a line break. */
export function printSize(findings: SizeFindings): string {
  const parts = [
    headline(findings),
    loadPart(findings.workload, findings.answer),
    tablePart(findings.answer),
    limitsPart(findings.workload, findings.answer),
    checkPart(findings),
    settingsPart(findings.workload, findings.answer),
  ];
  return `${parts.join("\n\n")}\n`;
}

function headline({ workload, answer }: SizeFindings): string {
  const { connections, expected, binding, need } = answer;
  const each = workload.instances === 1 ? "" : " for each instance";
  const waits =
    `${waitedText(expected.waitedRatio)} of the requests wait for one, ` +
    `${duration(expected.meanWaitMs)} on average over all.`;
  const less =
    binding === "load"
      ? ""
      : ` The load would take ${figure(need)} for ${percent(workload.targetWaitRatio)}, but the ` +
        `${binding === "fleet" ? "server's limit" : "server's cores"} do not allow more.`;
  return wrapText(`${counted(connections, "connection")}${each}: ${waits}${less}`);
}

function loadPart(workload: Workload, answer: SizeAnswer): string {
  const { hold, instances, ratePerS } = workload;
  const spread =
    instances === 1
      ? ""
      : `, ${figure(ratePerS / instances)} for each of ${figure(instances)} instances`;
  const mean =
    hold.meanFrom === "given"
      ? `mean ${duration(hold.meanMs)}, as given; the percentiles give the shape`
      : `mean ${duration(hold.meanMs)} by the lognormal distribution through both`;
  return [
    "The load",
    row("requests", `${figure(ratePerS)} a second${spread}`),
    row("a request holds", `p50 ${duration(workload.p50Ms)}, p99 ${duration(workload.p99Ms)}`),
    row("", mean),
    row("in use, average", `${figure(answer.load)}: rate × mean (Little's law)`),
    row("", `the median in its place would give ${figure(answer.loadByMedian)}`),
    row("unevenness", `variance / mean² ${figure(hold.cv2)}; 1 is exponential, 0 constant`),
    ...(hold.cv2 > UNEVEN_CV2 ? [unevenNote()] : []),
  ].join("\n");
}

const UNEVEN_CV2 = 10;

function unevenNote(): string {
  return wrapText(
    "Such holds are of two kinds. Give the slow ones a bulkhead, or a pool of their own, and " +
      "size each kind by itself: then neither waits for the other.",
    "  ",
  );
}

function row(name: string, text: string): string {
  return `  ${name.padEnd(17)}${text}`;
}

function tablePart({ table, connections, expected }: SizeAnswer): string {
  const rows = table.map((one) => tableRow(one, one.connections === connections));
  const textbook = `Allen and Cunneen's formula would give ${waitText(expected.allenCunneenMs)}`;
  return [
    "What a size gives, by Erlang's delay formula",
    "    connections   wait at all   mean wait    p99 wait",
    ...rows,
    wrapText(`${textbook} for the mean wait at ${figure(connections)}.`, "  "),
  ].join("\n");
}

function tableRow(one: Expectation, isChosen: boolean): string {
  const cells = [
    figure(one.connections).padStart(11),
    waitedText(one.waitedRatio).padStart(12),
    waitText(one.meanWaitMs).padStart(10),
    waitText(one.waitP99Ms).padStart(10),
  ];
  return `  ${isChosen ? "→" : " "} ${cells.join("  ")}`;
}

function waitText(ms: number): string {
  if (ms > 0 && ms < 1e-5) return "< 0.01 µs";
  return ms === Infinity ? "unlimited" : duration(ms);
}

/** No more figures than mean anything. */
function waitedText(ratio: number): string {
  return ratio > 0 && ratio < 1e-5 ? "< 0.001 %" : percent(Number(ratio.toPrecision(2)));
}

function limitsPart(workload: Workload, { need, fleet, cores, binding }: SizeAnswer): string {
  const mark = (is: boolean): string => (is ? "  ← decides" : "");
  const lines = [
    "What decides",
    row(
      "load",
      `${figure(need)}: the fewest with which at most ` +
        `${percent(workload.targetWaitRatio)} wait${mark(binding === "load")}`,
    ),
  ];
  if (fleet === undefined) lines.push(row("fleet", "not looked at: no --max-connections"));
  else {
    const { maxConnections = 0, reserved, surgeRatio } = workload;
    const most = surgeRatio === 0 ? "" : `, ${percent(surgeRatio)} more while deploying`;
    lines.push(
      row(
        "fleet",
        `${figure(fleet.connections)}: (${figure(maxConnections)} − ` +
          `${figure(reserved)} reserved) / ${counted(fleet.instancesMost, "instance")}` +
          mark(binding === "fleet"),
      ),
      ...(most === "" ? [] : [row("", `(${figure(workload.instances)} instances${most})`)]),
    );
  }
  lines.push(...coresLines(workload, cores, mark(binding === "cores")));
  return lines.join("\n");
}

/** Joined by spaces that do not break. */
const CORES_RULE = "2\u00a0×\u00a0cores\u00a0+\u00a01";

function coresLines(workload: Workload, cores: SizeAnswer["cores"], mark: string): string[] {
  if (cores === undefined || workload.cores === undefined) {
    return [row("cores", "not looked at: no --cores")];
  }
  const rule =
    `${figure(activeMostFor(workload.cores))} active at once, in all pools, are of use to ` +
    `${counted(workload.cores, "core")}: ${CORES_RULE} (PostgreSQL wiki, "Number Of ` +
    'Database Connections"; a rule of thumb, for CPU and disk work). The load has ' +
    `${figure(cores.activeMean)} active on average, and ${figure(cores.activeP99)} at p99`;
  const so = {
    fits: ": it fits.",
    shared: `: each pool gets ${figure(cores.connections ?? 0)}.${mark}`,
    indivisible:
      ", and a share for each pool would not carry its load: put one pooler, such as " +
      "PgBouncer, between the pools and the server.",
  };
  const text = wrapText(`${rule}${so[cores.state]}`, " ".repeat(19));
  return [row("cores", text.trimStart())];
}

function checkPart({ comparisons, simulation, workload }: SizeFindings): string {
  const { requests, plan } = simulation;
  const missed = comparisons.filter((one) => !one.agrees);
  const advice =
    missed.length === 0
      ? ""
      : workload.hold.cv2 > UNEVEN_CV2
        ? " Hold times this uneven are beyond the formulas: take the simulated figure."
        : " Take the simulated figure.";
  const about =
    `${figure(requests)} requests in ${duration(plan.durationMs)} of virtual time, seed ` +
    `${plan.seed}. ✓: the 95 % interval comes within ${percent(TOLERANCE_RATIO)} of the ` +
    `prediction.${advice}`;
  return [
    `The same load on the real pool, with ${counted(plan.connections, "connection")}, simulated`,
    ...comparisonLines(comparisons),
    wrapText(about, "  "),
  ].join("\n");
}

/** The comparisons as a table with its head; nothing where there are none. */
export function comparisonLines(comparisons: readonly Comparison[]): string[] {
  if (comparisons.length === 0) return [];
  const rows = comparisons.map((one) => {
    const { value, low, high } = one.simulated;
    const interval = low === high ? "" : ` (${unitText(low, one)} to ${unitText(high, one)})`;
    const cells = [
      one.what.padEnd(19),
      unitText(one.predicted, one).padStart(10),
      `  ${unitText(value, one)}${interval}`.padEnd(34),
    ];
    return `  ${cells.join("")} ${one.agrees ? "✓" : "✗ apart"}`;
  });
  return [`  ${"".padEnd(19)}${"predicted".padStart(10)}  simulated (95 % interval)`, ...rows];
}

/** A figure of a comparison with its unit. */
export function unitText(value: number, { unit }: Pick<Comparison, "unit">): string {
  switch (unit) {
    case "ratio":
      return value === 0 ? "0 %" : waitedText(value);
    case "ms":
      return waitText(value);
    case "connections":
      return figure(value);
    default:
      return unit satisfies never;
  }
}

function settingsPart({ hold }: Workload, { settings }: SizeAnswer): string {
  const { maxOpenConns, maxIdleConns, acquireTimeoutMs, maxWaiters } = settings;
  const why =
    "acquireTimeoutMs is 20 times the p99, but at least 1 and at most 10 s: no steady load waits " +
    `so long. maxWaiters is how many are served meanwhile, at ${duration(hold.meanMs)} each: who ` +
    "came later would time out. A hold counts from acquire to release: where code does more with " +
    "a connection than one query, measure that (pool.histograms().hold).";
  return [
    "Settings",
    "  const db = openDB(postgres(process.env.DATABASE_URL), {",
    `    maxOpenConns: ${maxOpenConns},`,
    `    maxIdleConns: ${maxIdleConns},`,
    `    acquireTimeoutMs: ${grouped(acquireTimeoutMs)},`,
    `    maxWaiters: ${grouped(maxWaiters)},`,
    "  });",
    wrapText(why, "  "),
  ].join("\n");
}

/** A number as it is written in code. */
function grouped(value: number): string {
  return value.toLocaleString("en-US").replaceAll(",", "_");
}

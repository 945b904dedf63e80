// Runs programs of the command-line package as child processes, each with a temporary directory of
// its own, so that what they leave behind can be seen.

import { spawn, type ChildProcess } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const SOURCES = fileURLToPath(new URL("../../packages/forebay-cli/src/", import.meta.url));
const FROM_SOURCE = ["--conditions=source", "--import", import.meta.resolve("tsx")];
const WAIT_MS = 20_000;

/** How a program ended. */
export interface Outcome {
  /** `null` when a signal ended it. */
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A program that was started. */
export interface Program {
  readonly child: ChildProcess;
  /** Where its temporary files go. */
  readonly temporary: string;
  readonly ended: Promise<Outcome>;
  /** Resolves when what it has written matches `text`; rejects when it has ended without. */
  says(text: RegExp, withinMs?: number): Promise<void>;
}

/** How a program is started. */
export interface StartOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Files for standard output and standard error; pipes by default. */
  readonly stdout?: string;
}

/** Starts the `forebay` command from its sources. DATABASE_URL is not passed on. */
export function startForebay(args: readonly string[], options: StartOptions = {}): Program {
  return start([path.join(SOURCES, "cli.ts"), ...args], options);
}

/** Runs the `forebay` command to its end. */
export async function forebay(
  args: readonly string[],
  options: StartOptions = {},
): Promise<Outcome> {
  return await startForebay(args, options).ended;
}

/** Starts a TypeScript file that lies next to the tests. */
export function startScript(name: string, ...args: string[]): Program {
  return start([fileURLToPath(new URL(name, import.meta.url)), ...args], {});
}

/** The entries of a program's temporary directory that come from an embedded server. */
export function leftBehind({ temporary }: Program): string[] {
  return fs.readdirSync(temporary).filter((name) => name.startsWith("forebay-"));
}

/** The process id of the embedded server that a program has started. */
export function serverPidOf(program: Program): number {
  const [directory = ""] = leftBehind(program);
  const file = path.join(program.temporary, directory, "home", "data", "postmaster.pid");
  return Number(fs.readFileSync(file, "utf8").split("\n", 1)[0]);
}

/** True while a process with this id exists. */
export function isRunning(pid: number): boolean {
  return fs.existsSync(`/proc/${pid}`);
}

/** Resolves when `condition` holds; rejects, naming `what`, when it does not in time. */
export async function until(
  what: string,
  condition: () => boolean,
  withinMs: number = WAIT_MS,
): Promise<void> {
  for (let waitedMs = 0; !condition(); waitedMs += 10) {
    if (waitedMs > withinMs) throw new Error(`waited in vain for: ${what}`);
    await delay(10);
  }
}

const temporaryDirectories: string[] = [];

/** Removes the temporary directories of all programs so far. For `afterEach`. */
export function removeTemporaryDirectories(): void {
  for (const directory of temporaryDirectories.splice(0)) {
    fs.rmSync(directory, { recursive: true, force: true });
  }
}

function start(args: readonly string[], options: StartOptions): Program {
  const temporary = fs.mkdtempSync(path.join(os.tmpdir(), "cli-test-"));
  temporaryDirectories.push(temporary);
  // As with the system's own directory for such files, every account may enter.
  fs.chmodSync(temporary, 0o755);
  const env: NodeJS.ProcessEnv = { ...process.env, TMPDIR: temporary, ...options.env };
  if (options.env?.["DATABASE_URL"] === undefined) delete env["DATABASE_URL"];
  const stdout = options.stdout === undefined ? "pipe" : fs.openSync(options.stdout, "w");
  const child = spawn(process.execPath, [...FROM_SOURCE, ...args], {
    env,
    stdio: ["ignore", stdout, "pipe"],
  });
  if (typeof stdout === "number") fs.closeSync(stdout);
  const text = { stdout: "", stderr: "" };
  child.stdout?.on("data", (chunk: Buffer) => (text.stdout += String(chunk)));
  child.stderr?.on("data", (chunk: Buffer) => (text.stderr += String(chunk)));
  let outcome: Outcome | undefined;
  const ended = new Promise<Outcome>((resolve) => {
    child.once("close", (status, signal) => {
      outcome = { status, signal, ...text };
      resolve(outcome);
    });
  });
  const says = async (wanted: RegExp, withinMs?: number): Promise<void> => {
    const isSaid = (): boolean => wanted.test(text.stdout + text.stderr);
    await until(String(wanted), () => isSaid() || outcome !== undefined, withinMs);
    if (!isSaid()) throw new Error(`ended without saying ${String(wanted)}: ${text.stderr}`);
  };
  return { child, temporary, ended, says };
}

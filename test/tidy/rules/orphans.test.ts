import { expect, test } from "vitest";
import { found } from "./examples.ts";
import { orphans } from "./orphans.ts";

const manifests = {
  "packages/forebay/package.json": JSON.stringify({
    name: "forebay",
    exports: {
      "./pool": { source: "./src/pool/index.ts" },
      "./package.json": "./package.json",
    },
  }),
  "packages/forebay-cli/package.json": JSON.stringify({
    name: "forebay-cli",
    bin: { forebay: "./dist/cli.js" },
  }),
  "package.json": JSON.stringify({ scripts: { sim: "tsx test/sim/main.ts" } }),
};

test("what entry points, scripts and tests reach is used, in as many steps as it takes", () => {
  const files = {
    "packages/forebay/src/pool/index.ts": 'export * from "./a.ts";',
    "packages/forebay/src/pool/a.ts": 'import type { B } from "./b.ts";',
    "packages/forebay/src/pool/b.ts": 'void import("./c.ts");',
    "packages/forebay/src/pool/c.ts": 'new URL("./worker.js", import.meta.url);',
    "packages/forebay/src/pool/worker.ts": "",
    "packages/forebay-cli/src/cli.ts": 'import "./d.ts";',
    "packages/forebay-cli/src/d.ts": "",
    "test/sim/main.ts": 'import "../support/e.ts";',
    "test/support/e.ts": "",
    "test/unit/f.test.ts": 'import "../../packages/forebay/src/pool/g.ts";',
    "packages/forebay/src/pool/g.ts": "",
  };
  expect(found(orphans, { ...manifests, ...files })).toEqual([]);
});

test("what nothing reaches is found, also when it is mentioned in a comment or uses others", () => {
  const files = {
    "packages/forebay/src/pool/index.ts": '// See "./a.ts".',
    "packages/forebay/src/pool/a.ts": 'import "./b.ts";',
    "packages/forebay/src/pool/b.ts": 'import "./a.ts";',
    "scripts/c.ts": "",
  };
  expect(found(orphans, { ...manifests, ...files })).toEqual([
    "packages/forebay/src/pool/a.ts:1 nothing uses this file",
    "packages/forebay/src/pool/b.ts:1 nothing uses this file",
    "scripts/c.ts:1 nothing uses this file",
  ]);
});

test("a source that starts another by its path uses it", () => {
  const files = {
    "test/cli/a.test.ts": 'start("./b.ts"); start("test/cli/c.ts"); start("d.ts");',
    "test/cli/b.ts": "",
    "test/cli/c.ts": "",
    "test/cli/d.ts": "",
  };
  expect(found(orphans, { ...manifests, ...files })).toEqual([
    "test/cli/d.ts:1 nothing uses this file",
  ]);
});

test("a package name leads to the sources of its entry point", () => {
  const files = {
    "packages/forebay-cli/src/cli.ts": 'import "forebay/pool";',
    "packages/forebay/src/pool/index.ts": 'import "./a.ts";',
    "packages/forebay/src/pool/a.ts": "",
  };
  expect(found(orphans, { ...manifests, ...files })).toEqual([]);
});

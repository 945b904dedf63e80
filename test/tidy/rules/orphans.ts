// T8: every source is used by something.

import path from "node:path";
import ts from "typescript";
import type { Rule } from "../rule.ts";
import { entryPointsOf, importsOf, resolveRelative, walk } from "../syntax.ts";
import type { Tree } from "../tree.ts";

/** Files that start sources by their path, or tell people to: `tsx scripts/x.ts`. */
const STARTERS = ["package.json", "vitest.config.ts", ".ci/run", "CONTRIBUTING.md"];

/** T8. */
export const orphans: Rule = {
  id: "T8",
  title: "every source is reached from an entry point, a script or a test",
  check: (tree) => {
    const entries = packageEntries(tree);
    const reached = new Set([
      ...entries.values(),
      ...startedSources(tree),
      ...commandSources(tree),
    ]);
    for (const file of reached) {
      if (!tree.has(file)) continue;
      for (const target of usedBy(tree, file, entries)) reached.add(target);
    }
    return tree
      .sources("packages", "test", "bench", "scripts")
      .filter((file) => !reached.has(file))
      .map((file) => ({
        path: file,
        line: 1,
        what: "nothing uses this file",
        fix: "Remove it, or use or test it",
      }));
  },
};

/**
 * What a source imports, and what it names in a string, as one that starts a child process does.
 */
function usedBy(tree: Tree, file: string, entries: ReadonlyMap<string, string>): string[] {
  const source = tree.source(file);
  const names = importsOf(source).map(({ specifier }) => specifier);
  walk(source, (node) => {
    if (ts.isStringLiteralLike(node)) names.push(node.text);
  });
  return names
    .map((name) => resolveRelative(file, name) ?? entries.get(name) ?? name)
    .filter((target) => target.endsWith(".ts") && tree.has(target));
}

function packageEntries(tree: Tree): Map<string, string> {
  return new Map(
    ["packages/forebay", "packages/forebay-cli"]
      .filter((folder) => tree.has(`${folder}/package.json`))
      .flatMap((folder) => [...entryPointsOf(tree, folder)]),
  );
}

/** The sources of the commands in `bin`, which name the built files. */
function commandSources(tree: Tree): string[] {
  const folder = "packages/forebay-cli";
  if (!tree.has(`${folder}/package.json`)) return [];
  const { bin = {} } = JSON.parse(tree.text(`${folder}/package.json`)) as {
    readonly bin?: Readonly<Record<string, string>>;
  };
  return Object.values(bin).map((built) =>
    path.posix.join(folder, built.replace(/\bdist\//, "src/").replace(/\.js$/, ".ts")),
  );
}

function startedSources(tree: Tree): string[] {
  const text = STARTERS.map((file) => (tree.has(file) ? tree.text(file) : "")).join("\n");
  return tree
    .sources("packages", "test", "bench", "scripts")
    .filter((file) => file.endsWith(".test.ts") || text.includes(file));
}

// T1: who may import whom.

import path from "node:path";
import { BASE_BUILT_INS, cellOf, LAYERS, type Layer } from "../layers.ts";
import type { Rule, Violation } from "../rule.ts";
import { entryPointsOf, type Import, importsOf, resolveRelative } from "../syntax.ts";
import type { Tree } from "../tree.ts";

const LIBRARY = "packages/forebay/src";
const CLI = "packages/forebay-cli";
const ARCHITECTURE = "ARCHITECTURE.md";
const TABLE = "see LAYERS in test/tidy/layers.ts";

/** T1. */
export const layers: Rule = {
  id: "T1",
  title: "every import follows the layer table, which ARCHITECTURE.md shows as it is",
  check: (tree) => [
    ...tree.sources(LIBRARY).flatMap((file) => checkLibrary(tree, file)),
    ...tree.sources(`${CLI}/src`).flatMap((file) => checkCli(tree, file)),
    ...checkArchitecture(tree),
  ],
};

function checkLibrary(tree: Tree, file: string): Violation[] {
  const inside = path.posix.relative(LIBRARY, file);
  const layer = layerOf(inside);
  if (layer === undefined) {
    const what = `${inside} is in no layer`;
    return [{ path: file, line: 1, what, fix: `Move it to one or add a row: ${TABLE}` }];
  }
  return importsOf(tree.source(file)).flatMap((imported) => {
    const what = whyForbidden(file, inside, layer, imported);
    return what === undefined ? [] : [{ path: file, line: imported.line, ...what }];
  });
}

type Finding = Pick<Violation, "what" | "fix">;

function whyForbidden(
  file: string,
  inside: string,
  layer: Layer,
  imported: Import,
): Finding | undefined {
  const { specifier, typeOnly } = imported;
  if (specifier.startsWith("node:")) {
    if (layer.folder !== "base" || BASE_BUILT_INS.includes(inside)) return undefined;
    return { what: `base imports ${specifier}`, fix: `Only ${BASE_BUILT_INS.join(", ")} may` };
  }
  const target = resolveRelative(file, specifier);
  if (target === undefined) {
    const what = `the library imports ${specifier}`;
    return { what, fix: "It has no dependencies: take the object as an argument" };
  }
  const targetInside = path.posix.relative(LIBRARY, target);
  if (targetInside.startsWith("../")) {
    return { what: `src imports ${target}`, fix: "Sources import sources of their own package" };
  }
  const folder = layerOf(targetInside)?.folder ?? targetInside;
  if (folder === layer.folder) return undefined;
  if (layer.mayImport.includes(folder)) return undefined;
  const types = layer.mayImportTypes?.includes(folder) ?? false;
  if (types && typeOnly) return undefined;
  return {
    what: `${layer.folder} imports ${types ? "more than types of " : ""}${folder}`,
    fix: `${layer.folder} may import ${cellOf(layer)}: ${TABLE}`,
  };
}

/** The row with the longest folder that holds the file. */
function layerOf(inside: string): Layer | undefined {
  return LAYERS.filter(
    (layer) => inside === layer.folder || inside.startsWith(`${layer.folder}/`),
  ).toSorted((a, b) => b.folder.length - a.folder.length)[0];
}

function checkCli(tree: Tree, file: string): Violation[] {
  const entries = entryPointsOf(tree, "packages/forebay");
  const manifest = JSON.parse(tree.text(`${CLI}/package.json`)) as Record<
    string,
    object | undefined
  >;
  const allowed = [
    ...Object.keys(manifest["dependencies"] ?? {}),
    ...Object.keys(manifest["optionalDependencies"] ?? {}),
  ];
  return importsOf(tree.source(file)).flatMap(({ specifier, line }) => {
    if (specifier.startsWith("node:")) return [];
    const target = resolveRelative(file, specifier);
    if (target !== undefined) {
      if (target.startsWith(`${CLI}/`)) return [];
      const fix = "The command sees the library by its package name and public entry points only";
      return [{ path: file, line, what: `the command imports ${target}`, fix }];
    }
    const name = specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
    if (name === "forebay") {
      if (entries.has(specifier)) return [];
      const fix = `Its entry points are ${[...entries.keys()].join(", ")}`;
      return [{ path: file, line, what: `${specifier} is not public`, fix }];
    }
    if (allowed.includes(name)) return [];
    const fix = `Add it to ${CLI}/package.json, with a line in CONTRIBUTING.md`;
    return [{ path: file, line, what: `${name} is not a dependency of the command`, fix }];
  });
}

/**
 * Compares the table whose head is `folder | may import` with LAYERS. Layers whose folder does not
 * exist yet, and index.ts, need no row; one that is there must be right.
 */
function checkArchitecture(tree: Tree): Violation[] {
  const at = (line: number, what: string, fix: string): Violation => ({
    path: ARCHITECTURE,
    line,
    what,
    fix,
  });
  if (!tree.has(ARCHITECTURE)) return [at(1, "it is missing", "Write it, with the layer table")];
  const lines = tree.text(ARCHITECTURE).split("\n");
  const head = lines.findIndex((line) => /^\|\s*folder\s*\|\s*may import\s*\|/i.test(line));
  if (head < 0) return [at(1, "it has no table `folder | may import`", `Add it: ${TABLE}`)];
  const found: Violation[] = [];
  const missing = new Set(LAYERS.filter((layer) => exists(tree, layer)));
  for (let index = head + 2; lines[index]?.startsWith("|") === true; index++) {
    const [folder = "", may = ""] = (lines[index] ?? "").split("|").slice(1);
    const [name = ""] = namesIn(folder);
    const layer = LAYERS.find((row) => row.folder === name);
    if (layer === undefined) {
      if (/\bcli\b/.test(folder)) continue;
      found.push(at(index + 1, `${name} is not a layer`, `Remove the row: ${TABLE}`));
      continue;
    }
    missing.delete(layer);
    if (namesIn(may).join() !== namesIn(cellOf(layer)).join()) {
      const fix = `Write: | ${name} | ${cellOf(layer)} |`;
      found.push(at(index + 1, `the row of ${name} is not the one that is checked`, fix));
    }
  }
  for (const layer of missing) {
    const fix = `Write: | ${layer.folder} | ${cellOf(layer)} |`;
    found.push(at(head + 1, `the row of ${layer.folder} is missing`, fix));
  }
  return found;
}

function exists(tree: Tree, layer: Layer): boolean {
  return tree.paths().some((file) => file.startsWith(`${LIBRARY}/${layer.folder}/`));
}

/**
 * The folders that a cell names, in order of the alphabet, `(types)` with the name. A dash is none.
 */
function namesIn(cell: string): string[] {
  return cell
    .replaceAll("`", "")
    .split(",")
    .map((name) => name.trim())
    .filter((name) => /\w/.test(name))
    .toSorted();
}

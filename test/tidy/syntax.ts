// Reading TypeScript syntax: what several rules need to know about a parsed source.

import path from "node:path";
import ts from "typescript";
import type { Tree } from "./tree.ts";

/** Calls `visit` for the node and all below it, outer nodes first. Doc comments are not visited. */
export function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  ts.forEachChild(node, (child) => walk(child, visit));
}

/** The line on which the node begins, without the comments before it; from 1. */
export function lineOf(source: ts.SourceFile, node: ts.Node): number {
  return lineAt(source, node.getStart(source));
}

/** The line of a position; from 1. */
export function lineAt(source: ts.SourceFile, position: number): number {
  return source.getLineAndCharacterOfPosition(position).line + 1;
}

/** A comment, with its marks. */
export interface Comment {
  readonly text: string;
  readonly line: number;
}

/** All comments. Text in strings and templates that looks like one is not one. */
export function commentsOf(source: ts.SourceFile): Comment[] {
  const found = new Map<number, Comment>();
  const add = (ranges: readonly ts.CommentRange[] | undefined): void => {
    for (const { pos, end } of ranges ?? []) {
      found.set(pos, { text: source.text.slice(pos, end), line: lineAt(source, pos) });
    }
  };
  for (const token of tokensOf(source)) {
    add(ts.getLeadingCommentRanges(source.text, token.pos));
    add(ts.getTrailingCommentRanges(source.text, token.end));
  }
  return [...found.values()];
}

/** All tokens: keywords, names, literals, punctuation. */
export function tokensOf(source: ts.SourceFile): ts.Node[] {
  const tokens: ts.Node[] = [];
  const visit = (node: ts.Node): void => {
    if (node.kind >= ts.SyntaxKind.FirstJSDocNode && node.kind <= ts.SyntaxKind.LastJSDocNode)
      return;
    const children = node.getChildren(source);
    if (children.length === 0) tokens.push(node);
    else for (const child of children) visit(child);
  };
  visit(source);
  return tokens;
}

/** A mention of another module. */
export interface Import {
  readonly specifier: string;
  readonly line: number;
  /** True when nothing is left of it at run time. */
  readonly typeOnly: boolean;
}

/**
 * Every module that the source names: imports, re-exports, `import()`, and `new URL("./x",
 * import.meta.url)`.
 */
export function importsOf(source: ts.SourceFile): Import[] {
  const found: Import[] = [];
  const add = (node: ts.Node | undefined, typeOnly: boolean): void => {
    if (node === undefined || !ts.isStringLiteralLike(node)) return;
    found.push({ specifier: node.text, line: lineOf(source, node), typeOnly });
  };
  walk(source, (node) => {
    if (ts.isImportDeclaration(node)) {
      add(node.moduleSpecifier, node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword);
    } else if (ts.isExportDeclaration(node)) {
      add(node.moduleSpecifier, node.isTypeOnly);
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      add(node.arguments[0], false);
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      add(node.argument.literal, true);
    } else if (ts.isNewExpression(node) && node.expression.getText(source) === "URL") {
      if (node.arguments?.[1]?.getText(source) === "import.meta.url") add(node.arguments[0], false);
    }
  });
  return found;
}

/**
 * The source file that a relative specifier means, whether or not it exists; built names mean their
 * sources.
 */
export function resolveRelative(from: string, specifier: string): string | undefined {
  if (!/^\.\.?\//.test(specifier)) return undefined;
  return path.posix.join(path.posix.dirname(from), specifier).replace(/\.js$/, ".ts");
}

/**
 * The public entry points of a package, each with its source: `forebay/pool` is
 * `packages/forebay/src/pool/index.ts`.
 */
export function entryPointsOf(tree: Tree, folder: string): Map<string, string> {
  const manifest = JSON.parse(tree.text(`${folder}/package.json`)) as {
    readonly name: string;
    readonly exports?: Readonly<Record<string, string | { readonly source?: string }>>;
  };
  const entries = new Map<string, string>();
  for (const [subpath, target] of Object.entries(manifest.exports ?? {})) {
    if (typeof target === "string" || target.source === undefined) continue;
    const name = path.posix.join(manifest.name, subpath);
    entries.set(name, path.posix.join(folder, target.source));
  }
  return entries;
}

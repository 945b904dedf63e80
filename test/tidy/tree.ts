// The repository as the rules see it: paths from its root, texts, and parsed sources. It knows no
// rule.

import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import ts from "typescript";

/**
 * Files and their texts. A rule reads nothing else, so that a test can hand it a tree of three
 * lines.
 */
export class Tree {
  readonly #texts: ReadonlyMap<string, string>;
  readonly #sources = new Map<string, ts.SourceFile>();

  constructor(texts: ReadonlyMap<string, string>) {
    this.#texts = texts;
  }

  /** All paths, with `/` between folders, in order. */
  paths(): string[] {
    return [...this.#texts.keys()].toSorted();
  }

  /**
   * The TypeScript sources in these folders; in the root itself too for `"."`. Declaration files
   * are left out.
   */
  sources(...folders: readonly string[]): string[] {
    return this.paths().filter(
      (file) =>
        file.endsWith(".ts") &&
        !file.endsWith(".d.ts") &&
        folders.some((folder) =>
          folder === "." ? !file.includes("/") : file.startsWith(`${folder}/`),
        ),
    );
  }

  has(file: string): boolean {
    return this.#texts.has(file);
  }

  /** The text of a file that exists. */
  text(file: string): string {
    const text = this.#texts.get(file);
    if (text === undefined) throw new Error(`no such file: ${file}`);
    return text;
  }

  /** The parsed source; parsed once. Nodes know their parents. */
  source(file: string): ts.SourceFile {
    let source = this.#sources.get(file);
    if (source === undefined) {
      source = ts.createSourceFile(file, this.text(file), ts.ScriptTarget.ES2023, true);
      this.#sources.set(file, source);
    }
    return source;
  }
}

/** A tree for the test of a rule. */
export function treeOf(texts: Readonly<Record<string, string>>): Tree {
  return new Tree(new Map(Object.entries(texts)));
}

/**
 * Every text file under `root` that git would keep: what .gitignore names is left out, and so are
 * binary files.
 */
export function treeOnDisk(root: string): Tree {
  const ignored = ignoredBy(readFileSync(path.join(root, ".gitignore"), "utf8"));
  const texts = new Map<string, string>();
  const visit = (folder: string): void => {
    for (const entry of readdirSync(path.join(root, folder), { withFileTypes: true })) {
      if (entry.name === ".git" || ignored(entry.name)) continue;
      const file = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory()) visit(file);
      else if (entry.isFile()) {
        const text = readFileSync(path.join(root, file), "utf8");
        if (!text.includes("\0")) texts.set(file, text);
      }
    }
  };
  visit("");
  return new Tree(texts);
}

/**
 * Understands what this repository's .gitignore uses: names, `name/` and `*`; never a path or a
 * negation.
 */
function ignoredBy(gitignore: string): (name: string) => boolean {
  const patterns = gitignore
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => {
      if (/^!|.\//.test(line.replace(/\/$/, "")))
        throw new Error(`.gitignore: ${line}: too clever`);
      const name = line.replace(/\/$/, "").replaceAll(/[.+?^${}()|[\]\\]/g, "\\$&");
      return new RegExp(`^${name.replaceAll("*", ".*")}$`);
    });
  return (name) => patterns.some((pattern) => pattern.test(name));
}

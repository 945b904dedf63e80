// T11: an invariant is written down, checked and tested, or it is none.

import type { Rule, Violation } from "../rule.ts";
import type { Tree } from "../tree.ts";

const ARCHITECTURE = "ARCHITECTURE.md";
const AUDIT = "packages/forebay/src/pool/audit.ts";

/** Who checks the invariants of each letter. */
const CHECKERS: readonly (readonly [string, string, (tree: Tree) => readonly string[]])[] = [
  ["I", "audit.ts", (tree) => (tree.has(AUDIT) ? [AUDIT] : [])],
  ["O", "test/sim", (tree) => tree.sources("test").filter((file) => file.startsWith("test/sim/"))],
];

/** T11. */
export const invariants: Rule = {
  id: "T11",
  title: `every invariant of ${ARCHITECTURE} is in audit.ts or test/sim and in a test, no other is`,
  check: (tree) => CHECKERS.flatMap((checker) => checkLetter(tree, ...checker)),
};

function checkLetter(
  tree: Tree,
  letter: string,
  where: string,
  checkersOf: (tree: Tree) => readonly string[],
): Violation[] {
  const listed = listedIn(tree, letter);
  const checkers = checkersOf(tree);
  const texts = checkers.map((file) => tree.text(file));
  const tests = tree
    .sources("test")
    .filter((file) => !file.startsWith("test/tidy/"))
    .map((file) => tree.text(file));
  const found: Violation[] = [];
  if (listed.size === 0) {
    const fix = `List them, each on a line that begins with its id: \`${letter}1\``;
    found.push({ path: ARCHITECTURE, line: 1, what: `no invariant ${letter}1 is listed`, fix });
  }
  for (const [id, line] of listed) {
    const at = { path: ARCHITECTURE, line };
    if (!texts.some((text) => names(text, id))) {
      const fix = `Check it in ${where}, or say there by its id where it is checked`;
      found.push({ ...at, what: `${id} is not in ${where}`, fix });
    }
    if (!tests.some((text) => names(text, id))) {
      found.push({ ...at, what: `${id} is in no test`, fix: "Name it in the test that shows it" });
    }
  }
  const pattern = new RegExp(`\\b${letter}\\d+\\b`, "g");
  for (const path of checkers) {
    for (const [index, line] of tree.text(path).split("\n").entries()) {
      for (const [id] of line.matchAll(pattern)) {
        if (listed.has(id)) continue;
        const what = `${id} is not in ${ARCHITECTURE}`;
        found.push({ path, line: index + 1, what, fix: "List it there" });
      }
    }
  }
  return found;
}

/** Ids at the beginning of a line: of a list item, a table row, a heading or a paragraph. */
function listedIn(tree: Tree, letter: string): Map<string, number> {
  const listed = new Map<string, number>();
  if (!tree.has(ARCHITECTURE)) return listed;
  const pattern = new RegExp(`^[\\s|*\`#-]*(${letter}\\d+)\\b`);
  for (const [index, line] of tree.text(ARCHITECTURE).split("\n").entries()) {
    const id = pattern.exec(line)?.[1];
    if (id !== undefined && !listed.has(id)) listed.set(id, index + 1);
  }
  return listed;
}

function names(text: string, id: string): boolean {
  return new RegExp(`\\b${id}\\b`).test(text);
}

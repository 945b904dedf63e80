// T11: an invariant is written down, checked and tested, or it is none.

import type { Rule, Violation } from "../rule.ts";
import type { Tree } from "../tree.ts";

const ARCHITECTURE = "ARCHITECTURE.md";
const AUDIT = "packages/forebay/src/pool/audit.ts";

/** T11. */
export const invariants: Rule = {
  id: "T11",
  title: `every invariant of ${ARCHITECTURE} is in audit.ts and in a test, and no other is`,
  check: (tree) => {
    const listed = listedIn(tree);
    const audit = tree.has(AUDIT) ? tree.text(AUDIT) : "";
    const tests = tree
      .sources("test")
      .filter((file) => !file.startsWith("test/tidy/"))
      .map((file) => tree.text(file));
    const found: Violation[] = [];
    if (listed.size === 0) {
      const fix = "List them, each on a line that begins with its id: `I1`";
      found.push({ path: ARCHITECTURE, line: 1, what: "no invariant is listed", fix });
    }
    for (const [id, line] of listed) {
      const at = { path: ARCHITECTURE, line };
      if (!names(audit, id)) {
        const fix = `Check it in ${AUDIT}, or say there by its id where it is checked`;
        found.push({ ...at, what: `${id} is not in audit.ts`, fix });
      }
      if (!tests.some((text) => names(text, id))) {
        found.push({
          ...at,
          what: `${id} is in no test`,
          fix: "Name it in the test that shows it",
        });
      }
    }
    for (const [index, line] of audit.split("\n").entries()) {
      for (const [id] of line.matchAll(/\bI\d+\b/g)) {
        if (listed.has(id)) continue;
        const what = `${id} is not in ${ARCHITECTURE}`;
        found.push({ path: AUDIT, line: index + 1, what, fix: "List it there" });
      }
    }
    return found;
  },
};

/** Ids at the beginning of a line: of a list item, a table row, a heading or a paragraph. */
function listedIn(tree: Tree): Map<string, number> {
  const listed = new Map<string, number>();
  if (!tree.has(ARCHITECTURE)) return listed;
  for (const [index, line] of tree.text(ARCHITECTURE).split("\n").entries()) {
    const id = /^[\s|*`#-]*(I\d+)\b/.exec(line)?.[1];
    if (id !== undefined && !listed.has(id)) listed.set(id, index + 1);
  }
  return listed;
}

function names(text: string, id: string): boolean {
  return new RegExp(`\\b${id}\\b`).test(text);
}

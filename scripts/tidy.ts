// Prints what breaks the house rules, one place a line: `npm run tidy`. The same rules run as
// tests.

import path from "node:path";
import { print } from "../test/tidy/rule.ts";
import { RULES } from "../test/tidy/rules.ts";
import { treeOnDisk } from "../test/tidy/tree.ts";

const tree = treeOnDisk(path.join(import.meta.dirname, ".."));
const lines = RULES.flatMap((rule) => rule.check(tree).map((found) => print(rule, found)));
for (const line of lines) console.log(line);
console.log(`${RULES.length} rules, ${lines.length} violations`);
if (lines.length > 0) process.exitCode = 1;

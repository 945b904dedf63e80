// T12: what is left to do has a number under which it is tracked.

import type { Rule, Violation } from "../rule.ts";
import { commentsOf } from "../syntax.ts";

/** T12. */
export const leftToDo: Rule = {
  id: "T12",
  title: "a comment that leaves something to do names its issue",
  check: (tree) =>
    tree.sources("packages", "test", "bench", "scripts", ".").flatMap((file) =>
      commentsOf(tree.source(file)).flatMap(({ text, line }) =>
        text.split("\n").flatMap((part, index): Violation[] => {
          const mark = /\b(TODO|FIXME|XXX|HACK)\b(?!\s*\(?#\d+)/.exec(part)?.[1];
          if (mark === undefined) return [];
          const fix = `Do it, or write \`${mark}(#123)\``;
          return [{ path: file, line: line + index, what: `${mark} without a number`, fix }];
        }),
      ),
    ),
};

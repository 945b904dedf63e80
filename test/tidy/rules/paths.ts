// T14: the repository works wherever it is.

import type { Rule, Violation } from "../rule.ts";

const MACHINE = /(?<![A-Za-z0-9_.$}*])\/(?:(?:work|root|farm)\/|home\/[a-z]|Users\/[A-Za-z])/;

/** T14. */
export const machinePaths: Rule = {
  id: "T14",
  title: "no file names a path of one machine",
  check: (tree) =>
    tree
      .paths()
      .filter((file) => file !== "package-lock.json")
      .flatMap((file) =>
        tree
          .text(file)
          .split("\n")
          .flatMap((text, index): Violation[] => {
            const path = MACHINE.exec(text)?.[0];
            if (path === undefined) return [];
            const fix = "Find it at run time, or take it as an argument";
            return [{ path: file, line: index + 1, what: `a path of one machine: ${path}…`, fix }];
          }),
      ),
};

import { expect, test } from "vitest";
import { foundIn } from "./examples.ts";
import { machinePaths } from "./paths.ts";

/** A path, put together so that this file does not hold one. */
const at = (...parts: readonly string[]) => `/${parts.join("/")}`;

test.each([at("work", "main"), at("root", "x"), at("home", "joe", "x"), at("Users", "Joe")])(
  "%s is a path of one machine, in any file",
  (path) => {
    expect(foundIn(machinePaths, "docs/a.md", `\nsee ${path}`)).toHaveLength(1);
    expect(foundIn(machinePaths, "a.json", `{"a":"${path}"}`)).toHaveLength(1);
  },
);

test.each([
  `https://example.org${at("work", "x")}`,
  `src${at("root", "x")}`,
  "/tmp/x",
  `\${base}${at("root", "x")}`,
  "/rooted/x",
])("%s is none", (path) => {
  expect(foundIn(machinePaths, "docs/a.md", `see ${path}`)).toEqual([]);
});

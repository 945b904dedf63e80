// The page of connection strings and the code say the same: each keyword, its option, its variable,
// and what is accepted of those that are not supported.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { postgres } from "../../../packages/forebay/src/postgres/index.ts";
import { KEYWORDS, UNSUPPORTED } from "../../../packages/forebay/src/postgres/wire/conninfo.ts";
import { VARIABLES } from "../../../packages/forebay/src/postgres/wire/layers.ts";

const page = read("docs/reference/connection-strings.md");
const source = read("packages/forebay/src/postgres/wire/config.ts");

function read(file: string): string {
  return readFileSync(new URL(`../../../${file}`, import.meta.url), "utf8");
}

/** The cells of the table under this heading. */
function tableOf(heading: string): string[][] {
  const section = page.split(`\n## ${heading}\n`)[1]?.split("\n## ")[0] ?? "";
  const rows = section.split("\n").filter((line) => line.startsWith("| `"));
  return rows.map((row) => row.split(" | ").map((cell) => cell.replaceAll(/^\|| +\|?$/g, "")));
}

function quoted(cell: string | undefined): string[] {
  return Array.from((cell ?? "").matchAll(/`([^`]+)`/g), ([, word]) => word ?? "");
}

test("the page names every keyword that is understood, with its variable", () => {
  const shown = tableOf("Understood").map(([keyword, , variable]) => [
    quoted(keyword)[0],
    quoted(variable)[0],
  ]);
  expect(Object.fromEntries(shown)).toEqual(VARIABLES);
  expect(shown.map(([keyword]) => keyword).sort()).toEqual([...KEYWORDS].sort());
});

test("the page names every option", () => {
  const body = source.split("export interface PostgresOptions {")[1]?.split("\n}\n")[0] ?? "";
  const options = Array.from(body.matchAll(/^ {2}readonly (\w+)\?:/gm), ([, name]) => name);
  expect(options.length).toBeGreaterThan(25);
  expect(options.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
  const inTable = tableOf("Understood").flatMap(([, option]) => quoted(option));
  expect(inTable.filter((name) => !options.includes(name))).toEqual([]);
});

test("the page names every keyword that is not supported, with what is accepted of it", () => {
  const shown = tableOf("Not supported").flatMap(([keywords, accepted]) => {
    const values = (accepted ?? "").split(";").map((part) => quoted(part.toLowerCase()));
    return quoted(keywords).map((keyword, index) => [keyword, values[index] ?? values[0]]);
  });
  expect(Object.fromEntries(shown)).toEqual(UNSUPPORTED);
});

test.each(Object.entries(UNSUPPORTED))(
  "%s is accepted with %j, and refused else",
  (name, values) => {
    for (const value of values) postgres(`user=app ${name}=${value.toUpperCase()}`, { env: {} });
    const refused = () => postgres(`user=app ${name}=something`, { env: {} });
    expect(refused).toThrow(name);
    expect(refused).toThrow("is not supported: remove it");
  },
);

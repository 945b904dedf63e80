import { expect, test } from "vitest";
import { docComments } from "./doc-comments.ts";
import { foundIn } from "./examples.ts";

const FILE = "packages/forebay/src/pool/a.ts";
const without = (name: string) => [`1 \`${name}\` is exported without a doc comment`];

test.each([
  "export function a() {}",
  "export const a = 1;",
  "export class a {}",
  "export interface a {}",
  "export type a = 1;",
  "export { a }; const a = 1;",
  "export async function* a() {}",
])("%s needs a doc comment", (text) => {
  expect(foundIn(docComments, FILE, text)).toEqual(without("a"));
  expect(foundIn(docComments, FILE, `// Not one.\n${text}`)).toHaveLength(1);
  expect(foundIn(docComments, FILE, `/** */\n${text}`)).toHaveLength(1);
});

test.each([
  "/** What it is. */\nexport function a() {}",
  "/** What it is. */\nconst a = 1;\nexport { a };",
  "/** What it is. */\nconst a = 1;\nexport { a as b };",
  "/** What it is. */\nexport function a(b: 1): void;\nexport function a(b: 2): void;",
  'export * from "./b.ts";',
  'export { b } from "./b.ts";',
  'import { b } from "./b.ts";\nexport { b };',
  "export {};",
  "function a() {}",
])("%s is well", (text) => {
  expect(foundIn(docComments, FILE, text)).toEqual([]);
});

test("tests and scripts export as they like", () => {
  expect(foundIn(docComments, "test/support/a.ts", "export const a = 1;")).toEqual([]);
});

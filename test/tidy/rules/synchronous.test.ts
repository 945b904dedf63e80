import { expect, test } from "vitest";
import { found, foundIn } from "./examples.ts";
import { synchronous } from "./synchronous.ts";

const CORE = "packages/forebay/src/pool/core.ts";

test("what suspends is found in the core, whatever form it takes", () => {
  const text = [
    "export async function a() {",
    "  await b();",
    "}",
    "let c: Promise<void> | PromiseLike<void>;",
    "setTimeout(a, 1);",
    "queueMicrotask(a);",
  ].join("\n");
  expect(foundIn(synchronous, CORE, text)).toEqual([
    "1 `async` in a synchronous file",
    "2 `await` in a synchronous file",
    "4 `Promise` in a synchronous file",
    "4 `PromiseLike` in a synchronous file",
    "5 `setTimeout` in a synchronous file",
    "6 `queueMicrotask` in a synchronous file",
  ]);
});

test("the words are free in comments and messages, and in other files", () => {
  const text = '// Never await a Promise here.\nconst a = "async";';
  expect(foundIn(synchronous, CORE, text)).toEqual([]);
  expect(foundIn(synchronous, "packages/forebay/src/pool/pool.ts", "await a;")).toEqual([]);
});

test.each(["session.ts", "session-queue.ts", "proto/reader.ts"])(
  "the wire's %s is held to it",
  (file) => {
    const path = `packages/forebay/src/postgres/wire/${file}`;
    expect(foundIn(synchronous, path, "await a;")).toEqual(["1 `await` in a synchronous file"]);
  },
);

test("a file that the core runs is held to it, one that only gives types is not", () => {
  const helper = "packages/forebay/src/pool/helper.ts";
  const what = `${helper}:1 \`await\` in a synchronous file`;
  const files = (core: string) => ({ [CORE]: core, [helper]: "await a;" });
  expect(found(synchronous, files('import { a } from "./helper.ts";'))).toEqual([what]);
  expect(found(synchronous, files('import type { a } from "./helper.ts";'))).toEqual([]);
});

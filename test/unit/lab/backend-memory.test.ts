// Reading what the system tells about a process's memory.

import { expect, test } from "vitest";
import { parseRollup } from "../../../packages/forebay-cli/src/lab/backend-memory.ts";

const TEXT =
  "55d0c0a00000-7ffd0c1fe000 ---p 00000000 00:00 0    [rollup]\n" +
  "Rss:               14500 kB\nPss:                3500 kB\nPss_Dirty:          2000 kB\n" +
  "Shared_Dirty:       9000 kB\nPrivate_Clean:       100 kB\nPrivate_Dirty:      1250 kB\n";

test("resident, shared and private memory are told apart, in bytes", () => {
  expect(parseRollup(TEXT)).toEqual({
    rss: 14500 * 1024,
    pss: 3500 * 1024,
    privateDirty: 1250 * 1024,
  });
});

test("a file that is empty, or lacks one of them, gives nothing", () => {
  expect(parseRollup("")).toBeUndefined();
  expect(parseRollup(TEXT.replace("Pss:", "Psx:"))).toBeUndefined();
});

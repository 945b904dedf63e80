import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { expect, test } from "vitest";
import { findProgram } from "../../../packages/forebay-cli/src/lab/program.ts";

test("folders that cannot be looked into, and files that cannot be run, are passed over", () => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "program-test-"));
  try {
    const [loop, plain, other] = ["loop", "plain", "other"].map((name) =>
      path.join(directory, name),
    );
    if (loop === undefined || plain === undefined || other === undefined) throw new RangeError();
    // Looking into it fails, and not for want of an entry.
    fs.symlinkSync(loop, loop);
    for (const [folder, mode] of [
      [plain, 0o644],
      [other, 0o755],
    ] as const) {
      fs.mkdirSync(folder);
      fs.writeFileSync(path.join(folder, "proxy"), "", { mode });
    }
    fs.mkdirSync(path.join(plain, "folder"));
    expect(findProgram("proxy", [loop, plain, other])).toBe(path.join(other, "proxy"));
    expect(findProgram("proxy", [loop, plain])).toBeUndefined();
    expect(findProgram("folder", [plain])).toBeUndefined();
  } finally {
    fs.rmSync(directory, { recursive: true });
  }
});

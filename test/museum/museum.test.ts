import { execFile } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, describe, expect, test } from "vitest";
import { type Exhibit, exhibits } from "./exhibits.ts";

const repo = fileURLToPath(new URL("../..", import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), "forebay-museum-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** Copies what a simulation needs, puts the bug back, and hunts for it there. */
async function huntFor(exhibit: Exhibit | undefined, name: string): Promise<string> {
  const copy = join(scratch, name);
  for (const part of [
    "package.json",
    "packages/forebay/src",
    "test/sim",
    "test/model",
    "test/museum",
  ]) {
    cpSync(join(repo, part), join(copy, part), { recursive: true });
  }
  symlinkSync(join(repo, "node_modules"), join(copy, "node_modules"));
  if (exhibit !== undefined) {
    const file = join(copy, "packages/forebay/src/pool", exhibit.file);
    const source = readFileSync(file, "utf8");
    const places = source.split(exhibit.find).length - 1;
    if (places !== 1) throw new Error(`the place stands ${places} times in ${exhibit.file}`);
    writeFileSync(
      file,
      source.replace(exhibit.find, () => exhibit.replace),
    );
  }
  const tsx = join(repo, "node_modules/tsx/dist/cli.mjs");
  const args = [tsx, join(copy, "test/museum/hunt.ts")];
  const { stdout } = await promisify(execFile)(process.execPath, args, {
    timeout: 60_000,
  }).catch((error: { stdout?: string; stderr?: string; killed?: boolean }) => {
    // A hunt that hangs has found a pool that hangs.
    if (error.killed === true) return { stdout: "hangs" };
    return { stdout: `${error.stdout}${error.stderr}` };
  });
  return stdout.trim();
}

describe("bugs that other pools have had are caught when they are put back", () => {
  test.concurrent.each(exhibits.map((exhibit, index) => ({ ...exhibit, index })))(
    "$bug",
    async (exhibit) => {
      const found = await huntFor(exhibit, `exhibit-${exhibit.index}`);
      expect(found).not.toContain("not found");
      expect(found).toMatch(/^(simulation|model|uncaught|hangs)/);
    },
  );

  test.concurrent("with no bug put back, nothing is found", async () => {
    expect(await huntFor(undefined, "original")).toContain("not found");
  });
});

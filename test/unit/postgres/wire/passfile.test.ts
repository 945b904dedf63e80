// The file of passwords: which line fits, and which file is not used.

import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { resolveConfig } from "../../../../packages/forebay/src/postgres/wire/config.ts";
import {
  findPassword,
  type PasswordRequest,
  readPassword,
} from "../../../../packages/forebay/src/postgres/wire/passfile.ts";

const key: PasswordRequest = { host: "db", port: 5432, database: "shop", user: "app" };

describe("the line for a server", () => {
  test.each<[string, Partial<PasswordRequest>, string | undefined]>([
    ["db:5432:shop:app:secret", {}, "secret"],
    ["db:5432:shop:app:secret", { host: "other" }, undefined],
    ["db:5432:shop:app:secret", { port: 5433 }, undefined],
    ["db:5432:shop:app:secret", { database: "other" }, undefined],
    ["db:5432:shop:app:secret", { user: "other" }, undefined],
    ["*:*:*:*:secret", {}, "secret"],
    ["*:5432:*:app:secret", {}, "secret"],
    ["d*:5432:shop:app:secret", {}, undefined],
    ["\\*:5432:shop:app:secret", {}, undefined],
    ["\\*:5432:shop:app:secret", { host: "*" }, "secret"],
    ["db:5432:shop:app:first\ndb:5432:shop:app:second", {}, "first"],
    ["other:*:*:*:no\n*:*:*:*:rest", {}, "rest"],
    ["#db:5432:shop:app:no", { host: "#db" }, undefined],
    ["# db:5432:shop:app:no\n\ndb:5432:shop:app:yes\n", {}, "yes"],
    ["db:5432:shop:app:secret\r\n", {}, "secret"],
    ["db:5432:shop:app:a\\:b\\\\c", {}, "a:b\\c"],
    ["db:5432:shop:app:a:comment", {}, "a"],
    ["db:5432:shop:app: with blanks ", {}, " with blanks "],
    ["db:5432:shop:app:", {}, ""],
    ["db:5432:shop:app", {}, undefined],
    ["db:5432:shop", {}, undefined],
    ["", {}, undefined],
    ["\\:\\:1:5432:shop:app:secret", { host: "::1" }, "secret"],
    ["db:5432:a\\\\b:c\\:d:secret", { database: "a\\b", user: "c:d" }, "secret"],
    ["db:5432:shop:app:secret\\", {}, "secret\\"],
    ["localhost:5432:shop:app:local", { host: "/tmp" }, "local"],
    ["localhost:5432:shop:app:local", { host: "/var/run/postgresql" }, "local"],
    ["localhost:5432:shop:app:local", { host: "/elsewhere" }, undefined],
    ["/elsewhere:5432:shop:app:local", { host: "/elsewhere" }, "local"],
  ])("%j gives for %j %j", (text, asked, password) => {
    expect(findPassword(text, { ...key, ...asked })).toBe(password);
  });
});

describe("the file", () => {
  let directory = "";
  let path = "";
  const warnings: string[] = [];
  const warn = (message: string) => void warnings.push(message);

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "forebay-passfile-"));
    path = join(directory, ".pgpass");
    warnings.length = 0;
  });

  afterEach(() => rmSync(directory, { recursive: true }));

  const put = (mode: number) => {
    writeFileSync(path, "db:5432:shop:app:hush\n");
    chmodSync(path, mode);
  };

  test("that nobody else may read is used", async () => {
    put(0o600);
    expect(await readPassword(path, key, warn)).toBe("hush");
    expect(warnings).toEqual([]);
  });

  test.runIf(process.platform !== "win32").each([0o640, 0o604, 0o660, 0o610])(
    "with the permissions %o is not used, and the reason told",
    async (mode) => {
      put(mode);
      expect(await readPassword(path, key, warn)).toBeUndefined();
      expect(warnings).toEqual([expect.stringContaining("0600")]);
      expect(warnings[0]).not.toContain("hush");
    },
  );

  test("that is a directory is not used, and the reason told", async () => {
    expect(await readPassword(directory, key, warn)).toBeUndefined();
    expect(warnings).toEqual([expect.stringContaining("not a plain file")]);
  });

  test("that is not there is nothing to speak of", async () => {
    expect(await readPassword(path, key, warn)).toBeUndefined();
    expect(warnings).toEqual([]);
  });

  test("is looked for where the option, the string, the environment and the home say", async () => {
    put(0o600);
    const from = (connInfo: string, passFile: string | undefined, env: Record<string, string>) =>
      resolveConfig(connInfo, { user: "app", passFile, env }).password(key);
    const none = join(directory, "none");
    expect(await from("", path, { PGPASSFILE: none, HOME: none })).toBe("hush");
    expect(await from(`passfile=${path}`, undefined, { PGPASSFILE: none })).toBe("hush");
    expect(await from("", undefined, { PGPASSFILE: path, HOME: none })).toBe("hush");
    const folder = process.platform === "win32" ? join(directory, "postgresql") : directory;
    mkdirSync(folder, { recursive: true });
    const name = process.platform === "win32" ? "pgpass.conf" : ".pgpass";
    writeFileSync(join(folder, name), "db:5432:shop:app:hush\n", { mode: 0o600 });
    const home = { HOME: directory, APPDATA: directory };
    expect(await from("", undefined, home)).toBe("hush");
    expect(await from("", undefined, {})).toBeUndefined();
  });

  test("is asked last", async () => {
    put(0o600);
    const password = (connInfo: string, options: object) =>
      resolveConfig(connInfo, { user: "app", passFile: path, env: {}, ...options }).password(key);
    expect(await password("password=string", {})).toBe("string");
    expect(await password("", { password: "option" })).toBe("option");
    expect(await password("", { password: () => "function" })).toBe("function");
    expect(await password("", { env: { PGPASSWORD: "environment" } })).toBe("environment");
    expect(await password("", {})).toBe("hush");
  });

  test.runIf(process.platform !== "win32")("is warned of once, not for each dial", async () => {
    put(0o644);
    const told = vi.spyOn(process, "emitWarning").mockReturnValue();
    const config = resolveConfig("", { user: "app", passFile: path, env: {} });
    await config.password(key);
    await config.password(key);
    expect(told).toHaveBeenCalledTimes(1);
  });
});

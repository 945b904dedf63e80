// The file of services: what it may say, and where it stands between the string and the
// environment.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type PostgresOptions,
  resolveConfig,
} from "../../../../packages/forebay/src/postgres/wire/config.ts";
import { parseService } from "../../../../packages/forebay/src/postgres/wire/conninfo.ts";

describe("a section of the file of services", () => {
  test.each<[string, object | undefined]>([
    ["[shop]\nhost=db\nport=6000", { host: "db", port: "6000" }],
    ["# all\n\n[other]\nhost=no\n[shop]\n  host=db  \n#end\n", { host: "db" }],
    ["[shop]\r\nhost=db\r\n", { host: "db" }],
    ["[shop]\nhost=db\nhost=later", { host: "db" }],
    ["[shop]\nhost=db\n[shop]\nport=1", { host: "db" }],
    ["[shop]\noptions=-c a=b c", { options: "-c a=b c" }],
    ["[shop]", {}],
    ["[shopping]\nhost=no", undefined],
    ["host=no", undefined],
  ])("%j says %j", (text, expected) => {
    const found = parseService(text, "shop");
    expect(found && Object.fromEntries(found)).toEqual(expected);
  });

  test.each([
    ["[shop]\nhush", 'lacks "=" in line 2'],
    ["[shop]\nhush=1", "unknown keyword in line 2"],
    ["[shop]\nservice=hush", "names a service in line 2"],
    ["[shop]\nrequire_auth=hush", "require_auth is not supported"],
  ])("%j is refused", (text, reason) => {
    expect(() => parseService(text, "shop")).toThrow(reason);
    expect(() => parseService(text, "shop")).not.toThrow("hush");
  });
});

describe("a service", () => {
  let directory = "";
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), "forebay-service-"));
    mkdirSync(join(directory, "etc"));
    writeFileSync(join(directory, "given.conf"), "[shop]\nhost=given\nport=1\nuser=service\n");
    writeFileSync(join(directory, ".pg_service.conf"), "[shop]\nhost=own\n");
    writeFileSync(join(directory, "etc", "pg_service.conf"), "[all]\nhost=shared\n");
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  const resolve = (
    connInfo: string,
    env: Record<string, string>,
    options: PostgresOptions = {},
  ) => {
    const { hosts, user } = resolveConfig(connInfo, { ...options, env: { PGUSER: "env", ...env } });
    return `${user}@${hosts[0]?.host}:${hosts[0]?.port}`;
  };
  const given = () => ({ PGSERVICEFILE: join(directory, "given.conf") });

  test("goes after the option and the string, and before the environment", () => {
    const env = { ...given(), PGSERVICE: "shop", PGHOST: "env", PGPORT: "2" };
    expect(resolve("", env)).toBe("service@given:1");
    expect(resolve("host=string", env)).toBe("service@string:1");
    expect(resolve("host=string", env, { host: "option" })).toBe("service@option:1");
  });

  test("is named by the option, the string or the environment", () => {
    expect(resolve("service=shop", given())).toBe("service@given:1");
    expect(resolve("postgres://?service=shop", given())).toBe("service@given:1");
    expect(resolve("service=none", given(), { service: "shop" })).toBe("service@given:1");
    expect(resolve("", { ...given(), PGSERVICE: "shop" })).toBe("service@given:1");
  });

  test.runIf(process.platform !== "win32")("is looked for at home, and where all share", () => {
    const env = { HOME: directory, PGSYSCONFDIR: join(directory, "etc") };
    expect(resolve("service=shop", env)).toBe("env@own:5432");
    expect(resolve("service=all", env)).toBe("env@shared:5432");
  });

  test("that is nowhere is an error, which says where was looked", () => {
    expect(() => resolve("service=none", given())).toThrow("given.conf");
    expect(() => resolve("service=none", {})).toThrow("not defined in any file");
    const missing = { PGSERVICEFILE: join(directory, "missing.conf") };
    expect(() => resolve("service=shop", missing)).toThrow("missing.conf cannot be read");
  });
});

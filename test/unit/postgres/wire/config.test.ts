// Connection strings, the environment and options: what they come to, and what is refused, without
// a secret told.

import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { UsageError } from "../../../../packages/forebay/src/base/errors.ts";
import {
  describeTarget,
  type PostgresOptions,
  resolveConfig,
  type TargetConfig,
} from "../../../../packages/forebay/src/postgres/wire/config.ts";
import { postgres } from "../../../../packages/forebay/src/postgres/index.ts";

function resolve(connInfo: string, options: PostgresOptions = {}): TargetConfig {
  return resolveConfig(connInfo, { env: {}, ...options });
}

/** What a connection string says beyond the defaults. */
function essence(connInfo: string) {
  const { hosts, user, database, sslMode, password } = resolve(connInfo, { user: undefined });
  const [{ host, port } = {}] = hosts;
  return { host, port, user, database, sslMode, password: password(anywhere) };
}

const anywhere = { host: "", port: 0, user: "", database: "" };

const base = {
  host: "localhost",
  port: 5432,
  user: "app",
  database: "app",
  sslMode: "prefer",
  password: undefined,
};

describe("a connection string", () => {
  test.each<[string, object]>([
    ["postgres://app@localhost", {}],
    ["postgresql://app@localhost", {}],
    ["postgres://app@", {}],
    ["postgres://app@/", {}],
    ["postgres://app@/shop", { database: "shop" }],
    [
      "postgres://app:secret@db:6000/shop",
      { password: "secret", host: "db", port: 6000, database: "shop" },
    ],
    [
      "postgres://app:s%40c%3Aret%25@db/a%2Fb",
      { password: "s@c:ret%", host: "db", database: "a/b" },
    ],
    ["postgres://app:a:b@db", { password: "a:b", host: "db" }],
    ["postgres://app:@db", { host: "db" }],
    ["postgres://app@[::1]:6000", { host: "::1", port: 6000 }],
    ["postgres://app@%2Fvar%2Frun", { host: "/var/run" }],
    [
      "postgres:///shop?host=/tmp&user=app&port=6000",
      { host: "/tmp", database: "shop", port: 6000 },
    ],
    ["postgres://app@db?sslmode=require", { host: "db", sslMode: "require" }],
    ["postgres://app@db/?ssl=true", { host: "db", sslMode: "require" }],
    ["postgres://app@db?gssencmode=disable&target_session_attrs=any", { host: "db" }],
    ["postgres://app@db?password=a+b%20c&", { host: "db", password: "a+b c" }],
    ["postgres://app@a?host=b", { host: "b" }],
    ["user=app", {}],
    ["  user = app  host=db ", { host: "db" }],
    ["user=app password='it\\'s \\\\ here' host=db", { password: "it's \\ here", host: "db" }],
    ["user=app password=a\\ b host=db", { password: "a b", host: "db" }],
    ["user=app password='' host=''", {}],
    ["user=app dbname=shop sslmode=verify-ca", { database: "shop", sslMode: "verify-ca" }],
    ["user=app host=@sock", { host: "@sock" }],
  ])("%s is understood", (connInfo, expected) => {
    expect(essence(connInfo)).toEqual({ ...base, ...expected });
  });

  test.each([
    ["mysql://app@db", "postgres://"],
    ["postgres://app:hush@hush@db", "%40"],
    ["postgres://app:hu%zzsh@db", "percent-encoded"],
    ["postgres://app:hush%00@db", "NUL"],
    ["postgres://app@db:hush", "host must be"],
    ["postgres://app@db:0", "port must be"],
    ["postgres://app@db:65536", "port must be"],
    ["postgres://app@db?hush=1", "unknown keyword as parameter 1"],
    ["postgres://app@db?sslmode=hush", "sslmode must be one of"],
    ["postgres://app@db?sslmode", 'lacks "="'],
    ["postgres://app@db?target_session_attrs=hush", "target_session_attrs must be one of"],
    ["postgres://app@db?load_balance_hosts=hush", "load_balance_hosts must be one of"],
    ["postgres://app@db?require_auth=hush", "require_auth is not supported"],
    ["postgres://app@db?sslcrl=hush", "sslcrl is not supported"],
    ["user=app sslsni=hush", "sslsni must be one of 0, 1"],
    ["user=app min_protocol_version=3.1", "min_protocol_version must be one of"],
    ["user=app max_protocol_version=hush", "max_protocol_version must be one of"],
    ["user=app min_protocol_version=3.2 max_protocol_version=3.0", "must not be newer"],
    ["postgres://app@db?client_encoding=latin1", "client_encoding"],
    ["postgres://app@db?service=hush", "the service is not defined"],
    ["postgres://app@db?toString=hush", "unknown keyword"],
    ["password=my hush", "lacks"],
    ["user=app password='hush", "closing quote"],
    ["user=app password='it''hush", "lacks"],
    ["password=my hush=1", "unknown keyword at character 13"],
    ["hush", 'lacks "="'],
    ["user=app connect_timeout=hush", "connect_timeout must be a whole number"],
    ["user=app port=hush", "port must be a whole number"],
    ["user=app channel_binding=require sslmode=disable", "channel_binding"],
    ["user=app channel_binding=require host=/tmp", "channel_binding"],
    ["user=app sslcert=/a.pem", "sslkey"],
    ["user=app sslrootcert=system sslmode=require", "verify-full"],
    ["user=app sslnegotiation=direct", "sslmode require"],
  ])("%s is refused, and nothing of it is repeated", (connInfo, reason) => {
    let error: unknown;
    try {
      resolve(connInfo, { user: "app" });
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(UsageError);
    expect((error as UsageError).code).toBe("OPTION_INVALID");
    expect((error as UsageError).message).toContain(reason);
    expect((error as UsageError).message).not.toContain("hush");
  });

  test("of the system's certificates asks for a full check by itself", () => {
    expect(resolve("user=app sslrootcert=system").sslMode).toBe("verify-full");
  });
});

describe("the environment", () => {
  const env = {
    PGHOST: "envhost",
    PGPORT: "7000",
    PGUSER: "envuser",
    PGPASSWORD: "envpass",
    PGDATABASE: "envdb",
    PGSSLMODE: "require",
    PGSSLROOTCERT: "/root.pem",
    PGSSLCERT: "/cert.pem",
    PGSSLKEY: "/key.pem",
    PGAPPNAME: "envapp",
    PGCONNECT_TIMEOUT: "3",
    PGOPTIONS: "-c a=b",
    PGCHANNELBINDING: "require",
    PGSSLNEGOTIATION: "direct",
  };

  test("gives what nobody else says", () => {
    const config = resolveConfig("", { env });
    expect(config).toMatchObject({
      hosts: [{ host: "envhost", port: 7000 }],
      user: "envuser",
      database: "envdb",
      sslMode: "require",
      sslRootCert: "/root.pem",
      sslCert: "/cert.pem",
      sslKey: "/key.pem",
      applicationName: "envapp",
      connectTimeoutMs: 3000,
      options: "-c a=b",
      channelBinding: "require",
      sslNegotiation: "direct",
    });
    expect(config.password(anywhere)).toBe("envpass");
  });

  test("yields to the connection string, which yields to the options", () => {
    const config = resolveConfig("postgres://u:p@string:1/db?application_name=string", {
      env,
      host: "option",
      applicationName: "option",
    });
    expect(config).toMatchObject({ user: "u", database: "db" });
    expect(config.hosts).toMatchObject([{ host: "option", port: 1 }]);
    expect(config.applicationName).toBe("option");
    expect(config.password(anywhere)).toBe("p");
  });

  test("counts as silent where it is empty", () => {
    const empty = Object.fromEntries(Object.keys(env).map((name) => [name, ""]));
    const config = resolveConfig("user=u", { env: empty });
    expect(config).toMatchObject({ hosts: [{ host: "localhost", port: 5432 }], database: "u" });
    expect(config.connectTimeoutMs).toBe(10_000);
  });

  test("of zero seconds means no limit", () => {
    const config = resolveConfig("user=u", { env: { PGCONNECT_TIMEOUT: "0" } });
    expect(config.connectTimeoutMs).toBe(Number.POSITIVE_INFINITY);
  });
});

describe("options", () => {
  test("have defaults", () => {
    expect(resolve("", { user: "u" })).toMatchObject({
      hosts: [{ host: "localhost", hostAddr: undefined, socketPath: undefined }],
      targetSessionAttrs: "any",
      loadBalanceHosts: "disable",
      sslSni: true,
      protocolMinors: { min: 0, max: 0 },
      channelBinding: "prefer",
      applicationName: "forebay",
      options: undefined,
      connectTimeoutMs: 10_000,
      types: { int8: "auto" },
    });
  });

  test.each<[PostgresOptions, string]>([
    [{ port: 1.5 }, "port"],
    [{ port: Number.NaN }, "port"],
    [{ connectTimeoutMs: 0 }, "connectTimeoutMs"],
    [{ connectTimeoutMs: Number.NaN }, "connectTimeoutMs"],
    [{ keepAliveMs: -1 }, "keepAliveMs"],
    [{ fetchRowsMax: 0 }, "fetchRowsMax"],
    [{ maxMessageBytes: 2 ** 40 }, "maxMessageBytes"],
    [{ int8: "long" as "auto" }, "int8"],
    [{ sslMode: "on" as "require" }, "sslmode"],
    [{ user: "a\0b" }, "user"],
  ])("%j are refused", (options, reason) => {
    expect(() => resolve("", { user: "u", ...options })).toThrow(reason);
  });

  test.each([
    ["/tmp", 5432, "/tmp/.s.PGSQL.5432"],
    ["/tmp/", 1, "/tmp/.s.PGSQL.1"],
    ["@abstract", 5432, "\0abstract/.s.PGSQL.5432"],
  ])("of the directory %s give the socket's path", (host, port, path) => {
    expect(resolve("", { user: "u", host, port }).hosts[0]?.socketPath).toBe(path);
  });

  test("give a name without secrets, and no dump shows the password", () => {
    const secret = { password: "hush", env: {} };
    expect(postgres("postgres://app@[::1]/shop", secret).name).toBe("postgres app@[::1]:5432/shop");
    const config = resolve("postgres://app:hush@db/shop");
    expect(describeTarget(config)).toBe("app@db:5432/shop");
    expect(inspect(config, { depth: 9, showHidden: true })).not.toContain("hush");
    expect(JSON.stringify(config)).not.toContain("hush");
    const target = postgres("postgres://app:hush@db/shop", { env: {} });
    expect(inspect(target, { depth: 9, showHidden: true })).not.toContain("hush");
  });

  test("can be all there is", () => {
    const target = postgres({ host: "db", user: "app", database: "shop", env: {} });
    expect(target.name).toBe("postgres app@db:5432/shop");
  });
});

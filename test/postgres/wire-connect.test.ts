// Connecting to a real server: encryption, authentication, and what is said when it does not work.

import * as net from "node:net";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { isForebayError } from "../../packages/forebay/src/base/errors.ts";
import {
  isPgError,
  postgres,
  type PostgresOptions,
  type SslMode,
} from "../../packages/forebay/src/postgres/index.ts";
import { connect, errorOf, rowsOf } from "./wire-session.ts";

const host = inject("postgresHost");
const port = inject("postgresPort");
const socketDir = inject("postgresSocketDir");
const isOurs = inject("postgresKind") === "embedded";
const password = "correct horse";
const { signal } = new AbortController();

const ROLES: Readonly<Record<string, string>> = {
  auth_trust: "",
  auth_password: "SET password_encryption = 'scram-sha-256'",
  auth_md5: "SET password_encryption = 'md5'",
  auth_scram: "SET password_encryption = 'scram-sha-256'",
};

function open(options: PostgresOptions, onLost: (reason: unknown) => void = () => {}) {
  const target = postgres({ host, port, database: "postgres", env: {}, ...options });
  return target.connect({ signal, onLost });
}

describe.runIf(isOurs)("authentication", () => {
  beforeAll(async () => {
    const admin = await connect();
    for (const [role, setting] of Object.entries(ROLES)) {
      await admin.query(`DROP ROLE IF EXISTS ${role}`, []);
      await admin.query(`${setting}; CREATE ROLE ${role} LOGIN PASSWORD '${password}'`, []);
    }
  });

  afterAll(async () => {
    const admin = await connect();
    for (const role of Object.keys(ROLES)) await admin.query(`DROP ROLE ${role}`, []);
    await admin.close();
  });

  const modes: readonly SslMode[] = ["disable", "allow", "prefer", "require"];
  const cases = Object.keys(ROLES).flatMap((user) => modes.map((sslMode) => ({ user, sslMode })));

  test.each(cases)("$user gets in with sslmode $sslMode", async ({ user, sslMode }) => {
    const conn = await open({ user, password, sslMode });
    const [row] = await rowsOf(
      conn,
      "SELECT current_user::text AS who, ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
    );
    await conn.close();
    expect(row).toEqual({ who: user, ssl: sslMode === "prefer" || sslMode === "require" });
  });

  test.each(Object.keys(ROLES))("%s gets in over the Unix socket", async (user) => {
    const conn = await open({ host: socketDir, user, password, sslMode: "require" });
    const [row] = await rowsOf(conn, "SELECT inet_client_addr() IS NULL AS local");
    await conn.close();
    expect(row).toEqual({ local: true });
  });

  test.each(["auth_password", "auth_md5", "auth_scram"])(
    "a wrong password of %s is the server's error, and not worth another try",
    async (user) => {
      const target = postgres({ host, port, database: "postgres", user, password: "x", env: {} });
      const error = await errorOf(target.connect({ signal, onLost: () => {} }));
      expect(isPgError(error) && error.code).toBe("28P01");
      expect(target.shouldRetryConnect(error)).toBe(false);
    },
  );

  test("SCRAM is bound to the TLS connection when that is required", async () => {
    const options = { user: "auth_scram", password, sslMode: "require" } as const;
    for (const channelBinding of ["disable", "prefer", "require"] as const) {
      const conn = await open({ ...options, channelBinding });
      expect(await rowsOf(conn, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
      await conn.close();
    }
  });

  test.each(["auth_trust", "auth_password", "auth_md5"])(
    "%s is turned down when channel binding is required, and the password is not sent",
    async (user) => {
      const channelBinding = "require" as const;
      const error = await errorOf(open({ user, password, sslMode: "require", channelBinding }));
      expect(isForebayError(error) && error.code).toBe("AUTH_FAILED");
    },
  );

  test("two passwords that are prepared alike are the same", async () => {
    const admin = await connect();
    // U+00AA becomes "a", U+00A0 a blank, U+00AD nothing.
    await admin.query("ALTER ROLE auth_scram PASSWORD 'I\u00ADX\u00A0\u00AA'", []);
    for (const form of ["I\u00ADX\u00A0\u00AA", "IX a"]) {
      const conn = await open({ user: "auth_scram", password: form });
      expect(await rowsOf(conn, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
      await conn.close();
    }
    await admin.query(`ALTER ROLE auth_scram PASSWORD '${password}'`, []);
  });

  test("a password function is asked for each connection", async () => {
    let asked = 0;
    const target = postgres({
      host,
      port,
      database: "postgres",
      user: "auth_scram",
      password: () => {
        asked++;
        return Promise.resolve(password);
      },
      env: {},
    });
    for (let i = 0; i < 2; i++) await (await target.connect({ signal, onLost() {} })).close();
    expect(asked).toBe(2);
  });
});

describe.runIf(isOurs)("certificates", () => {
  const root = new URL(inject("postgresUrlVerify")).searchParams.get("sslrootcert") ?? "";
  const user = inject("postgresSuperuser");
  const superPassword = inject("postgresPassword");
  const base = { user, password: superPassword };

  test("verify-full accepts the server under its own name", async () => {
    const conn = await connect({}, inject("postgresUrlVerify"));
    expect(await rowsOf(conn, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
  });

  test("verify-ca accepts the authority", async () => {
    const conn = await open({ ...base, sslMode: "verify-ca", sslRootCert: root });
    expect(await rowsOf(conn, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
    await conn.close();
  });

  test.each(["verify-ca", "verify-full"] as const)(
    "%s refuses an authority that is not known",
    async (sslMode) => {
      const target = postgres({ host, port, ...base, database: "postgres", sslMode, env: {} });
      const error = await errorOf(target.connect({ signal, onLost: () => {} }));
      expect(isForebayError(error) && error.code).toBe("TLS_FAILED");
      expect(target.shouldRetryConnect(error)).toBe(false);
    },
  );

  test("a root certificate that cannot be read is named as the trouble", async () => {
    const error = await errorOf(
      open({ ...base, sslMode: "verify-full", sslRootCert: "/none.pem" }),
    );
    expect(isForebayError(error) && error.code).toBe("TLS_FAILED");
    expect(String(error)).toContain("sslrootcert");
  });

  test("direct TLS needs no question first", async () => {
    const conn = await open({ ...base, sslMode: "require", sslNegotiation: "direct" });
    const [row] = await rowsOf(conn, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()");
    await conn.close();
    expect(row).toEqual({ ssl: true });
  });
});

test("a database that does not exist is not worth another try", async () => {
  const target = postgres(inject("postgresUrl"), { database: "no_such_database", env: {} });
  const error = await errorOf(target.connect({ signal, onLost: () => {} }));
  expect(isPgError(error) && error.code).toBe("3D000");
  expect(target.shouldRetryConnect(error)).toBe(false);
});

test("a refused connection names the target but no password, and may be retried", async () => {
  const free = await new Promise<number>((resolve) => {
    const server = net.createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as net.AddressInfo;
      server.close(() => resolve(port));
    });
  });
  const target = postgres({ host: "127.0.0.1", port: free, user: "u", password: "hush", env: {} });
  const error = await errorOf(target.connect({ signal, onLost: () => {} }));
  expect(isForebayError(error) && error.code).toBe("CONNECT_FAILED");
  expect(String(error)).toContain(`u@127.0.0.1:${free}/u`);
  expect(String(error)).not.toContain("hush");
  expect(target.shouldRetryConnect(error)).toBe(true);
});

test("a host name that does not resolve is not worth another try", async () => {
  const target = postgres({ host: "no-such-host.invalid", user: "u", env: {} });
  const error = await errorOf(target.connect({ signal, onLost: () => {} }));
  expect(isForebayError(error) && error.code).toBe("CONNECT_FAILED");
  expect(target.shouldRetryConnect(error)).toBe(false);
});

test("the session has the name, the options and the settings that were asked for", async () => {
  const conn = await connect({ applicationName: "wire-test", options: "-c statement_timeout=7s" });
  const [row] = await rowsOf(
    conn,
    `SELECT current_setting('application_name') AS name,
       current_setting('statement_timeout') AS limit,
       current_setting('client_encoding') AS encoding, current_setting('DateStyle') AS dates`,
  );
  expect(row).toEqual({ name: "wire-test", limit: "7s", encoding: "UTF8", dates: "ISO, MDY" });
  expect(conn.serverParameter("application_name")).toBe("wire-test");
  expect(conn.serverParameter("server_version")).toMatch(/^\d+/u);
});

test("many connections can be made at once", async () => {
  const all = await Promise.all(Array.from({ length: 20 }, () => connect()));
  expect(new Set(all.map((conn) => conn.processId)).size).toBe(20);
});

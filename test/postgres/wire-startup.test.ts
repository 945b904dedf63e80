// What else there is to say before a session: the version of the protocol, where the name and the
// password come from, what TLS tells.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import * as net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSecureContext, TLSSocket } from "node:tls";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { makeCertificates } from "../../packages/forebay-cli/src/server/certificates.ts";
import { isForebayError } from "../../packages/forebay/src/base/errors.ts";
import {
  type PasswordRequest,
  type PgConnection,
  postgres,
  type PostgresOptions,
} from "../../packages/forebay/src/postgres/index.ts";
import { configFor, resolveConfig } from "../../packages/forebay/src/postgres/wire/config.ts";
import { openSession } from "../../packages/forebay/src/postgres/wire/connect.ts";
import type { ServerHost } from "../../packages/forebay/src/postgres/wire/hosts.ts";
import { connect, errorOf, rowsOf, untilBusy } from "./wire-session.ts";

const host = inject("postgresHost");
const port = inject("postgresPort");
const isOurs = inject("postgresKind") === "embedded";
const base = {
  host,
  port,
  user: inject("postgresSuperuser"),
  password: inject("postgresPassword"),
  database: "postgres",
  env: {},
} as const;
const { signal } = new AbortController();

function open(options: PostgresOptions): Promise<PgConnection> {
  return postgres({ ...base, ...options }).connect({ signal, onLost: () => {} });
}

describe("protocol 3.2", () => {
  let speaksIt = false;
  beforeAll(async () => {
    const [row] = await rowsOf(await connect(), "SHOW server_version_num");
    speaksIt = Number(row?.["server_version_num"]) >= 180_000;
  });

  test("is spoken where both can, with a longer key for cancel requests", async () => {
    for (const asked of ["3.0", "3.2", "latest"] as const) {
      const all = resolveConfig(inject("postgresUrl"), { env: {}, maxProtocolVersion: asked });
      const [server] = all.hosts as [ServerHost];
      const config = configFor(all, server);
      const channel = await openSession(config, { host, port }, base.password, signal);
      const { protocolVersion, cancelKey } = channel.facts;
      await channel.close();
      const expected = asked === "3.0" || !speaksIt ? "3.0" : "3.2";
      expect(protocolVersion).toBe(expected);
      expect(cancelKey.length).toBe(expected === "3.0" ? 4 : 32);
    }
  });

  test("is given up where the server cannot, unless it is the oldest that is wanted", async () => {
    const outcome = await connect({ minProtocolVersion: "3.2" }).then(
      () => "connected",
      (error: unknown) => (error as Error).message,
    );
    const expected = speaksIt ? "connected" : "min_protocol_version is 3.2";
    expect(outcome).toContain(expected);
  });

  test("cancels", async () => {
    const observer = await connect();
    const conn = await connect({ maxProtocolVersion: "3.2" });
    const abort = new AbortController();
    const sleeping = errorOf(conn.query("SELECT pg_sleep(3600)", [], { signal: abort.signal }));
    await untilBusy(observer, conn.processId);
    abort.abort("enough");
    expect(await sleeping).toBe("enough");
    expect(await rowsOf(conn, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
  });
});

describe.runIf(isOurs)("hostaddr", () => {
  const rootCert = new URL(inject("postgresUrlVerify")).searchParams.get("sslrootcert") ?? "";
  const verify = { sslMode: "verify-full", sslRootCert: rootCert } as const;

  test("is where the connection goes, and host what the certificate must be for", async () => {
    const lookup = () => Promise.reject(new Error("looked up"));
    const conn = await open({ ...verify, host: "localhost", hostAddr: "127.0.0.1", lookup });
    const [row] = await rowsOf(conn, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()");
    await conn.close();
    expect(row).toEqual({ ssl: true });
    const error = await errorOf(open({ ...verify, host: "db.example", hostAddr: "127.0.0.1" }));
    expect(isForebayError(error) && error.code).toBe("TLS_FAILED");
  });

  test("alone is what the certificate must be for", async () => {
    const conn = await open({ ...verify, host: undefined, hostAddr: "127.0.0.1" });
    expect(await rowsOf(conn, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
    await conn.close();
  });
});

describe.runIf(isOurs)("direct TLS", () => {
  test("is bound to by SCRAM, and works for cancel requests, too", async () => {
    const options = { sslMode: "require", sslNegotiation: "direct" } as const;
    const observer = await connect();
    const conn = await open({ ...options, channelBinding: "require" });
    const abort = new AbortController();
    const sleeping = errorOf(conn.query("SELECT pg_sleep(3600)", [], { signal: abort.signal }));
    await untilBusy(observer, conn.processId);
    abort.abort("enough");
    expect(await sleeping).toBe("enough");
    expect(await rowsOf(conn, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
    await conn.close();
  });
});

describe("the name that TLS tells", () => {
  test.each([
    [{ host: "localhost" }, ["localhost"]],
    [{ host: "localhost", sslSni: false }, []],
    [{ host: "localhost", env: { PGSSLSNI: "0" } }, []],
    [{ host: "db.example", hostAddr: "127.0.0.1" }, ["db.example"]],
    [{ host: "127.0.0.1" }, []],
  ])("of %j is %j", async (options: PostgresOptions, expected) => {
    const { server: cert, serverKey: key } = await makeCertificates();
    const names: string[] = [];
    const secureContext = createSecureContext({ cert, key });
    const proxy = net.createServer((socket) => {
      socket.once("data", () => {
        socket.write("S");
        const secure = new TLSSocket(socket, {
          isServer: true,
          secureContext,
          SNICallback: (name, done) => {
            names.push(name);
            done(null, secureContext);
          },
        });
        secure.on("error", () => {}).once("data", () => secure.end());
      });
    });
    await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
    const { port: proxyPort } = proxy.address() as net.AddressInfo;
    await errorOf(open({ sslMode: "require", port: proxyPort, ...options }));
    await new Promise((resolve) => proxy.close(resolve));
    expect(names).toEqual(expected);
  });
});

describe.runIf(isOurs)("a password", () => {
  const directory = mkdtempSync(join(tmpdir(), "forebay-startup-"));
  afterAll(() => rmSync(directory, { recursive: true }));

  test("comes from the file of passwords when nobody else gives one", async () => {
    const passFile = join(directory, "pgpass");
    const line = `${host}:${port}:*:${base.user}:${base.password}\n`;
    writeFileSync(passFile, `other:*:*:*:no\n${line}`, { mode: 0o600 });
    const conn = await open({ password: undefined, passFile });
    expect(await rowsOf(conn, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
    await conn.close();
    writeFileSync(passFile, "other:*:*:*:no\n");
    const error = await errorOf(open({ password: undefined, passFile }));
    expect(isForebayError(error) && error.code).toBe("AUTH_FAILED");
  });

  test("may be a function of the server", async () => {
    const asked: PasswordRequest[] = [];
    const password = (server: PasswordRequest) => {
      asked.push(server);
      return base.password;
    };
    await (await open({ password })).close();
    expect(asked).toEqual([{ host, port, user: base.user, database: "postgres" }]);
  });
});

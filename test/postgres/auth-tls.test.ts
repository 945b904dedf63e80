// Every method of authentication under every sslmode, each cell with what must come of it: `plain`
// and `tls` for a session of that kind, else the code of the error.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeCertificates } from "../../packages/forebay-cli/src/server/certificates.ts";
import { isForebayError } from "../../packages/forebay/src/base/errors.ts";
import {
  type ChannelBindingMode,
  isPgError,
  postgres,
  type PostgresOptions,
  type SslMode,
} from "../../packages/forebay/src/postgres/index.ts";
import { makeClientAuthority } from "../support/client-certificates.ts";
import { needs, type OwnServer, programsOf, startOwnServer } from "../support/own-server.ts";
import { rowsOf } from "./wire-session.ts";

const MODES: readonly SslMode[] = [
  "disable",
  "allow",
  "prefer",
  "require",
  "verify-ca",
  "verify-full",
];
const PASSWORD = "correct horse";

/** The lines of pg_hba.conf for TCP, by the user they are for. */
const METHODS: Readonly<Record<string, string>> = {
  by_trust: "host all by_trust 127.0.0.1/32 trust",
  by_password: "host all by_password 127.0.0.1/32 password",
  by_md5: "host all by_md5 127.0.0.1/32 md5",
  // The server asks for SCRAM where its secret is of that kind.
  by_md5_or_scram: "host all by_md5_or_scram 127.0.0.1/32 md5",
  by_scram: "host all by_scram 127.0.0.1/32 scram-sha-256",
  only_tls: "hostssl all only_tls 127.0.0.1/32 scram-sha-256",
  only_plain: "hostnossl all only_plain 127.0.0.1/32 scram-sha-256",
  by_cert: "hostssl all by_cert 127.0.0.1/32 cert",
  by_both: "hostssl all by_both 127.0.0.1/32 scram-sha-256 clientcert=verify-full",
};
const LOCAL: Readonly<Record<string, string>> = {
  by_peer: "local all by_peer peer map=own",
  by_strict_peer: "local all by_strict_peer peer",
  by_trust: "local all by_trust trust",
  by_scram: "local all by_scram scram-sha-256",
};
const MD5_SECRETS = ["by_md5"];

const directory = mkdtempSync(join(tmpdir(), "forebay-auth-"));
const file = (name: string) => join(directory, name);
const { signal } = new AbortController();
let server: OwnServer;
let withoutTls: OwnServer;

async function writeFiles(): Promise<{ cert: string; key: string; clientCa: string }> {
  const [own, other] = await Promise.all([makeCertificates(), makeCertificates()]);
  writeFileSync(file("root.pem"), own.authority);
  writeFileSync(file("other-root.pem"), other.authority);
  const trusted = await makeClientAuthority("trusted");
  const strange = await makeClientAuthority("strange");
  for (const [name, authority, user] of [
    ["cert", trusted, "by_cert"],
    ["both", trusted, "by_both"],
    ["strange", strange, "by_cert"],
  ] as const) {
    const { cert, key } = await authority.sign(user);
    writeFileSync(file(`${name}.pem`), cert);
    writeFileSync(file(`${name}.key`), key, { mode: 0o600 });
  }
  return { cert: own.server, key: own.serverKey, clientCa: trusted.cert };
}

async function start(tls?: { cert: string; key: string; clientCa: string }): Promise<OwnServer> {
  const started = await startOwnServer({
    hba: [...Object.values(LOCAL), "local all postgres trust", ...Object.values(METHODS)],
    ident: [`own ${userInfo().username} by_peer`],
    ...(tls === undefined ? {} : { tls }),
  });
  const { socketDir: host, port, user } = started;
  const options = { host, port, user, database: "postgres", env: {} };
  const admin = await postgres(options).connect({ signal, onLost: () => undefined });
  for (const role of new Set([...Object.keys(METHODS), ...Object.keys(LOCAL)])) {
    const kind = MD5_SECRETS.includes(role) ? "md5" : "scram-sha-256";
    await admin.query(`SET password_encryption = '${kind}'`, []);
    await admin.query(`CREATE ROLE ${role} LOGIN PASSWORD '${PASSWORD}'`, []);
  }
  await admin.close();
  return started;
}

function codeOf(error: unknown): string {
  return isForebayError(error) || isPgError(error) ? error.code : String(error);
}

/** How a session comes about: `plain`, `tls`, or the code of what prevents it. */
async function outcome(options: PostgresOptions, at: OwnServer = server): Promise<string> {
  const { host, port } = at;
  const defaults = {
    host,
    port,
    database: "postgres",
    password: PASSWORD,
    passFile: file("none"),
    sslRootCert: file("root.pem"),
    env: {},
  };
  try {
    const connector = postgres({ ...defaults, ...options });
    const conn = await connector.connect({ signal, onLost: () => undefined });
    const sql =
      "SELECT ssl, current_user::text AS who FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    const [row] = await rowsOf(conn, sql);
    await conn.close();
    expect(row?.["who"]).toBe(options.user);
    return row?.["ssl"] === true ? "tls" : "plain";
  } catch (error) {
    return codeOf(error);
  }
}

/** The outcomes under each sslmode, in order. */
async function outcomes(options: PostgresOptions, at?: OwnServer): Promise<string> {
  const found = await Promise.all(MODES.map((sslMode) => outcome({ ...options, sslMode }, at)));
  return found.join(" ");
}

/** Six outcomes, of which the later ones are all the same. */
function then(first: string, rest: string): string {
  const words = first.split(" ");
  return [...words, ...MODES.slice(words.length).map(() => rest)].join(" ");
}

/** The same under each sslmode. */
function all(every: string): string {
  return MODES.map(() => every).join(" ");
}

const isHere = programsOf(18) !== undefined;

describe.skipIf(!isHere)(`authentication and TLS ${needs(18)}`, () => {
  beforeAll(async () => {
    server = await start(await writeFiles());
    withoutTls = await start();
  });

  afterAll(async () => {
    await server.stop();
    await withoutTls.stop();
    rmSync(directory, { recursive: true });
  });

  const invalid = "OPTION_INVALID OPTION_INVALID OPTION_INVALID";
  const bindings: readonly ChannelBindingMode[] = ["disable", "prefer", "require"];
  const methods = ["by_trust", "by_password", "by_md5", "by_md5_or_scram", "by_scram"];
  const scram = ["by_md5_or_scram", "by_scram"];
  const cells = methods.flatMap((user) =>
    bindings.flatMap((channelBinding) =>
      (["postgres", "direct"] as const).map((sslNegotiation) => {
        const isRequired = channelBinding === "require";
        const bound = scram.includes(user) ? "tls" : "AUTH_FAILED";
        const asked = isRequired
          ? then("OPTION_INVALID AUTH_FAILED", bound)
          : then("plain plain", "tls");
        const direct = then(invalid, isRequired ? bound : "tls");
        const expected = sslNegotiation === "direct" ? direct : asked;
        return { user, channelBinding, sslNegotiation, expected };
      }),
    ),
  );

  test.each(cells)(
    "$user, channel binding $channelBinding, negotiation $sslNegotiation: $expected",
    async ({ expected, ...options }) => {
      expect(await outcomes(options)).toBe(expected);
    },
  );

  test.each([
    ["by_trust", "plain plain tls tls tls tls", "plain plain tls tls tls tls"],
    ["by_password", all("28P01"), all("AUTH_FAILED")],
    ["by_md5", all("28P01"), all("AUTH_FAILED")],
    ["by_scram", all("28P01"), all("AUTH_FAILED")],
  ])("%s with a wrong password: %s; without one: %s", async (user, wrong, none) => {
    expect(await outcomes({ user, password: "wrong" })).toBe(wrong);
    expect(await outcomes({ user, password: undefined })).toBe(none);
  });

  test.each(["by_password", "by_md5"])(
    "%s is not sent a password when channel binding is required: the server says nothing of it",
    async (user) => {
      const options = { user, password: "wrong", channelBinding: "require" } as const;
      expect(await outcomes(options)).toBe(then("OPTION_INVALID", "AUTH_FAILED"));
    },
  );

  test.each([
    // Plain is refused, and the mode decides whether the other way is tried.
    ["only_tls", "28000 tls tls tls tls tls", then(invalid, "tls")],
    ["only_plain", "plain plain plain 28000 28000 28000", then(invalid, "28000")],
  ])("%s: %s; negotiated directly: %s", async (user, asked, direct) => {
    expect(await outcomes({ user })).toBe(asked);
    expect(await outcomes({ user, sslNegotiation: "direct" })).toBe(direct);
  });

  // Where `allow` and `prefer` have tried both ways, the error of the first counts.
  test.each([
    ["by_cert", "cert", "28000 tls tls tls tls tls", "tls"],
    ["by_cert", "both", all("28000"), "28000"],
    ["by_cert", "strange", then("28000 28000", "TLS_FAILED"), "TLS_FAILED"],
    ["by_cert", undefined, all("28000"), "28000"],
    ["by_both", "both", "28000 tls tls tls tls tls", "tls"],
    // The server words a certificate of somebody else as it does a wrong password.
    ["by_both", "cert", then("28000 28000", "28P01"), "28P01"],
    ["by_both", undefined, all("28000"), "28000"],
    // Whoever is not asked for a certificate may have one.
    ["by_scram", "cert", "plain plain tls tls tls tls", "tls"],
  ])(
    "%s with the certificate %s: %s; negotiated directly: %s",
    async (user, name, asked, direct) => {
      const options =
        name === undefined ? {} : { sslCert: file(`${name}.pem`), sslKey: file(`${name}.key`) };
      expect(await outcomes({ user, ...options })).toBe(asked);
      expect(await outcomes({ user, ...options, sslNegotiation: "direct" })).toBe(
        then(invalid, direct),
      );
    },
  );

  test("a certificate does not replace the password that is asked for beside it", async () => {
    const options = { user: "by_both", sslCert: file("both.pem"), sslKey: file("both.key") };
    expect(await outcomes({ ...options, password: "wrong" })).toBe(then("28000 28000", "28P01"));
    expect(await outcomes({ ...options, channelBinding: "require" })).toBe(
      then("OPTION_INVALID", "tls"),
    );
  });

  test.each([
    // A root that is given is used by `require`, too, as in libpq; the name is for verify-full.
    ["the right root and name", "root.pem", {}, "plain plain tls tls tls tls"],
    [
      "the right root, another name",
      "root.pem",
      { host: "db.example", hostAddr: "127.0.0.1" },
      "plain plain tls tls tls TLS_FAILED",
    ],
    ["another root", "other-root.pem", {}, "plain plain tls TLS_FAILED TLS_FAILED TLS_FAILED"],
    [
      "a root that is not there",
      "no-root.pem",
      {},
      "plain plain plain TLS_FAILED TLS_FAILED TLS_FAILED",
    ],
    ["no root", undefined, {}, "plain plain tls tls TLS_FAILED TLS_FAILED"],
  ])("%s: %s %j: %s", async (_what, root, options, expected) => {
    const sslRootCert = root === undefined ? undefined : file(root);
    expect(await outcomes({ user: "by_scram", ...options, sslRootCert })).toBe(expected);
    const direct = { ...options, sslRootCert, sslNegotiation: "direct" } as const;
    const tail = expected.split(" ").slice(3).join(" ");
    expect(await outcomes({ user: "by_scram", ...direct })).toBe(`${invalid} ${tail}`);
  });

  test.each([
    ["by_trust", "prefer", then("plain plain plain", "TLS_UNAVAILABLE")],
    ["by_password", "prefer", then("plain plain plain", "TLS_UNAVAILABLE")],
    ["by_md5", "prefer", then("plain plain plain", "TLS_UNAVAILABLE")],
    ["by_scram", "prefer", then("plain plain plain", "TLS_UNAVAILABLE")],
    ["by_scram", "require", then("OPTION_INVALID AUTH_FAILED AUTH_FAILED", "TLS_UNAVAILABLE")],
  ] as const)(
    "%s, channel binding %s, of a server without TLS: %s",
    async (user, binding, asked) => {
      const options = { user, channelBinding: binding };
      expect(await outcomes(options, withoutTls)).toBe(asked);
      expect(await outcomes({ ...options, sslNegotiation: "direct" }, withoutTls)).toBe(
        then(invalid, "CONNECT_FAILED"),
      );
    },
  );

  test.each([
    ["by_peer", "plain"],
    ["by_strict_peer", "28000"],
    ["by_trust", "plain"],
    ["by_scram", "plain"],
  ])("%s over the Unix socket, whatever sslmode says: %s", async (user, expected) => {
    const host = server.socketDir;
    expect(await outcomes({ user, host })).toBe(all(expected));
    expect(await outcomes({ user, host, channelBinding: "require" })).toBe(all("OPTION_INVALID"));
    expect(await outcomes({ user, host, sslNegotiation: "direct" })).toBe(then(invalid, expected));
  });
});

// The client on each major version of PostgreSQL that is supported: what it needs of a server, from
// the first to the last message.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { makeCertificates } from "../../packages/forebay-cli/src/server/certificates.ts";
import { isForebayError } from "../../packages/forebay/src/base/errors.ts";
import {
  copyFrom,
  copyTo,
  isPgError,
  json,
  Listener,
  type PgConnection,
  postgres,
  type PostgresOptions,
  type TargetSessionAttrs,
} from "../../packages/forebay/src/postgres/index.ts";
import { configFor, resolveConfig } from "../../packages/forebay/src/postgres/wire/config.ts";
import { openSession } from "../../packages/forebay/src/postgres/wire/connect.ts";
import type { ServerHost } from "../../packages/forebay/src/postgres/wire/hosts.ts";
import { CONVERSATIONS } from "../golden/conversations.ts";
import { readGolden } from "../golden/file.ts";
import { replay } from "../golden/replay.ts";
import { TYPES_SQL, VALUES } from "../golden/types-sql.ts";
import {
  MAJORS,
  needs,
  type OwnServer,
  programsOf,
  startOwnServer,
} from "../support/own-server.ts";
import { errorOf, rowsOf, untilBusy } from "./wire-session.ts";

const { signal } = new AbortController();
const open: { close(): Promise<void> }[] = [];
const directory = mkdtempSync(join(tmpdir(), "forebay-majors-"));
const rootCert = join(directory, "authority.pem");
let server: OwnServer;

async function start(major: (typeof MAJORS)[number]): Promise<OwnServer> {
  const { authority, server: cert, serverKey: key } = await makeCertificates();
  writeFileSync(rootCert, authority);
  return startOwnServer({
    major,
    hba: ["hostssl all all 127.0.0.1/32 scram-sha-256"],
    tls: { cert, key, clientCa: authority },
  });
}

/** The options for the server, with everything checked that can be. */
function optionsHere(): PostgresOptions {
  const { host, port, user, password } = server;
  const tls = { sslMode: "verify-full", sslRootCert: rootCert, channelBinding: "require" } as const;
  return { host, port, user, password, database: "postgres", env: {}, ...tls };
}

async function connect(options: PostgresOptions = {}): Promise<PgConnection> {
  const all = { ...optionsHere(), ...options };
  const conn = await postgres(all).connect({ signal, onLost: () => undefined });
  open.push(conn);
  return conn;
}

function codeOf(error: unknown): unknown {
  return isForebayError(error) || isPgError(error) ? error.code : error;
}

afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()));
});

afterAll(() => rmSync(directory, { recursive: true }));

/** What PostgreSQL 18 gave for every type, when that was recorded. */
async function recordedRows(): Promise<unknown> {
  const [golden] = readGolden(18).filter(({ name }) => name === "types");
  const conversation = CONVERSATIONS.find(({ name }) => name === "types");
  if (golden === undefined || conversation === undefined) throw new Error("there is no record");
  const { told } = await replay(
    conversation,
    golden.flights.map((flight) => flight.server),
  );
  const [first] = told as { readonly value: { readonly rows: unknown } }[];
  return first?.value.rows;
}

describe.for(MAJORS)("PostgreSQL %i", (major) => {
  describe.skipIf(programsOf(major) === undefined)(`on a server of its own ${needs(major)}`, () => {
    beforeAll(async () => {
      server = await start(major);
    });

    afterAll(() => server.stop());

    test("is the version that is tested, over TLS that SCRAM is bound to", async () => {
      const conn = await connect();
      expect(conn.serverParameter("server_version")?.split(".")[0]).toBe(String(major));
      const sql = "SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
      expect(await rowsOf(conn, sql)).toEqual([{ ssl: true, version: "TLSv1.3" }]);
    });

    test("gives every type the same value in text and in binary", async () => {
      const conn = await connect();
      const expected = await recordedRows();
      for (const _format of ["text", "binary"]) {
        const { rows } = await conn.query(TYPES_SQL, [], { rowMode: "array" });
        expect(rows).toEqual(expected);
      }
    });

    test("takes every type's value back, with its type known and not", async () => {
      const conn = await connect();
      for (const [type, ...texts] of VALUES) {
        for (const text of texts) {
          const sql = `SELECT $1::${type} AS v`;
          const [read] = await rowsOf(conn, `SELECT '${text.replaceAll("'", "''")}'::${type} AS v`);
          const value = read?.["v"];
          const arg = type.startsWith("json") && type !== "jsonpath" ? json(value) : value;
          const first = await rowsOf(conn, sql, [arg]);
          const later = await rowsOf(conn, sql, [arg]);
          expect([type, first, later]).toEqual([type, [{ v: value }], [{ v: value }]]);
        }
      }
    });

    test("keeps statements, and prepares them again when their columns change", async () => {
      const conn = await connect();
      await conn.query("CREATE TEMP TABLE t AS SELECT 1 AS a", []);
      for (let run = 0; run < 3; run++) {
        expect(await rowsOf(conn, "SELECT * FROM t")).toEqual([{ a: 1 }]);
      }
      const kept =
        "SELECT count(*) AS n FROM pg_prepared_statements WHERE statement LIKE '%FROM t'";
      expect(await rowsOf(conn, kept)).toEqual([{ n: 1 }]);
      await conn.query("ALTER TABLE t ADD COLUMN b text DEFAULT 'x'", []);
      expect(await rowsOf(conn, "SELECT * FROM t")).toEqual([{ a: 1, b: "x" }]);
    });

    test("takes statements together, and undoes all of them when one fails", async () => {
      const conn = await connect();
      await conn.query("CREATE TEMP TABLE t (id int PRIMARY KEY)", []);
      const insert = "INSERT INTO t VALUES ($1)";
      const good = [1, 2, 3].map((id) => ({ sql: insert, args: [id] }));
      const results = await conn.pipeline([...good, { sql: "SELECT count(*) AS n FROM t" }]);
      expect(results.map(({ rowsAffected }) => rowsAffected)).toEqual([1, 1, 1, 1]);
      expect(results.at(-1)?.rows).toEqual([{ n: 3 }]);
      const bad = [4, 1, 5].map((id) => ({ sql: insert, args: [id] }));
      expect(codeOf(await errorOf(conn.pipeline(bad)))).toBe("23505");
      const settled = await conn.pipelineSettled(bad);
      expect(settled.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
      expect(await rowsOf(conn, "SELECT count(*) AS n FROM t")).toEqual([{ n: 5 }]);
    });

    test.each(["text", "binary"] as const)("copies in and out in %s format", async (format) => {
      const conn = await connect();
      await conn.query("CREATE TEMP TABLE t (id int, name text, at timestamptz)", []);
      const rows = Array.from({ length: 500 }, (_, id) => [id, `n\t${id}`, new Date(id * 1000)]);
      expect(await copyFrom(conn, { table: "t", format }, rows)).toEqual({ rowsAffected: 500 });
      const read: unknown[] = [];
      for await (const row of copyTo(conn, { table: "t", format }).rows()) read.push(row);
      expect(read).toEqual(rows);
    });

    test("gives rows in portions", async () => {
      const conn = await connect({ fetchRowsMax: 7 });
      const rows = await conn.stream("SELECT n FROM generate_series(1, 30) n", []);
      const sizes: number[] = [];
      for (let portion = await rows.next(); portion !== undefined; portion = await rows.next()) {
        sizes.push(portion.length);
      }
      expect(sizes).toEqual([7, 7, 7, 7, 2]);
    });

    test("stops a statement when it is asked to", async () => {
      const observer = await connect();
      const conn = await connect();
      const abort = new AbortController();
      const sleeping = errorOf(conn.query("SELECT pg_sleep(3600)", [], { signal: abort.signal }));
      await untilBusy(observer, conn.processId);
      abort.abort("enough");
      expect(await sleeping).toBe("enough");
      expect(await rowsOf(conn, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
    });

    test("notifies a listener", async () => {
      const conn = await connect();
      const listener = new Listener(postgres(optionsHere()));
      open.push(listener);
      let hear: (payload: string) => void = () => undefined;
      const heard = new Promise<string>((resolve) => {
        hear = resolve;
      });
      await listener.listen("news", hear);
      await conn.query("SELECT pg_notify('news', $1)", ["née"]);
      expect(await heard).toBe("née");
    });

    test("reports what targetSessionAttrs goes by", async () => {
      const conn = await connect();
      expect(conn.serverParameter("in_hot_standby")).toBe("off");
      expect(conn.serverParameter("default_transaction_read_only")).toBe("off");
      const isReadOnly = "-c default_transaction_read_only=on";
      const outcomes: Record<string, unknown> = {};
      const wanted: TargetSessionAttrs[] = ["any", "read-write", "read-only", "primary", "standby"];
      for (const targetSessionAttrs of wanted) {
        for (const options of [undefined, isReadOnly]) {
          const outcome = connect({ targetSessionAttrs, options }).then(() => "connected", codeOf);
          const name = options === undefined ? targetSessionAttrs : `${targetSessionAttrs}, set so`;
          outcomes[name] = await outcome;
        }
      }
      expect(outcomes).toEqual({
        any: "connected",
        "any, set so": "connected",
        "read-write": "connected",
        "read-write, set so": "TARGET_NOT_FOUND",
        "read-only": "TARGET_NOT_FOUND",
        "read-only, set so": "connected",
        primary: "connected",
        "primary, set so": "connected",
        standby: "TARGET_NOT_FOUND",
        "standby, set so": "TARGET_NOT_FOUND",
      });
    });

    test("speaks protocol 3.2 from version 18 on, and 3.0 before", async () => {
      const asked = { ...optionsHere(), maxProtocolVersion: "3.2" } as const;
      const all = resolveConfig("", asked);
      const [host] = all.hosts as [ServerHost];
      const address = { host: server.host, port: server.port };
      const channel = await openSession(configFor(all, host), address, server.password, signal);
      const { protocolVersion, cancelKey } = channel.facts;
      await channel.close();
      const expected = major < 18 ? ["3.0", 4] : ["3.2", 32];
      expect([protocolVersion, cancelKey.length]).toEqual(expected);
      const outcome = connect({ minProtocolVersion: "3.2" }).then(() => "connected", codeOf);
      expect(await outcome).toBe(major < 18 ? "CONNECT_FAILED" : "connected");
    });

    test("takes TLS without a question first from version 17 on", async () => {
      const outcome = connect({ sslNegotiation: "direct" }).then(() => "connected", codeOf);
      expect(await outcome).toBe(major < 17 ? "CONNECT_FAILED" : "connected");
    });
  });
});

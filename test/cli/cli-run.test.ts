// `forebay lab run` and its server: what is wrong with a given one, and that nothing of an embedded
// one remains.

import { once } from "node:events";
import * as fs from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import * as os from "node:os";
import * as path from "node:path";
import { afterEach, beforeEach, describe, expect, inject, test } from "vitest";
import type { LabReport } from "../../packages/forebay-cli/src/lab/index.ts";
import { allowedProcessors } from "../../packages/forebay-cli/src/server/affinity.ts";
import { findServer, startEmbedded } from "../../packages/forebay-cli/src/server/index.ts";
import {
  forebay,
  isRunning,
  leftBehind,
  removeTemporaryDirectories,
  serverPidOf,
  startForebay,
  until,
} from "./cli-harness.ts";

afterEach(removeTemporaryDirectories);

/** With a server of the developer's own, what its login asks for is not known. */
const isEmbedded = inject("postgresKind") === "embedded";
const host = inject("postgresHost");
const port = inject("postgresPort");
const password = inject("postgresPassword");
const SECRET = "open-sesame";

/**
 * Runs the lab on a server that it cannot use, checks what every such run has in common, no secret
 * among it, and gives its error line.
 */
async function errorOf(dsn: string, env: Record<string, string> = {}): Promise<string> {
  const args = dsn === "" ? ["lab", "run"] : ["lab", "run", "--dsn", dsn];
  const program = startForebay(args, { env });
  const { status, stdout, stderr } = await program.ended;
  expect(status).toBe(2);
  expect(stdout).toBe("");
  expect(leftBehind(program)).toEqual([]);
  const lines = stderr.trimEnd().split("\n");
  expect(lines.filter((line) => !/^(connecting|forebay:) /.test(line))).toEqual([]);
  const line = lines.at(-1) ?? "";
  expect(line).toMatch(/^forebay: .+ \[[A-Z_]+\]\. .+\.$/);
  expect(line.match(/\[[A-Z_]+\]/g)).toHaveLength(1);
  expect(stderr).not.toContain(SECRET);
  return line;
}

describe("a given server that cannot be used ends the run with status 2 and one line:", () => {
  test("no connection string at all", async () => {
    expect(await errorOf(`mysql://app:${SECRET}@localhost/app`)).toContain("[URL_INVALID]");
  });

  test("a port that is none", async () => {
    expect(await errorOf(`postgres://app:${SECRET}@localhost:port/app`)).toContain("[URL_INVALID]");
  });

  test("nobody listens there", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const free = (server.address() as AddressInfo).port;
    server.close();
    await once(server, "close");
    const line = await errorOf(`postgres://app:${SECRET}@127.0.0.1:${free}/app`);
    expect(line).toContain("[SERVER_UNREACHABLE]");
    expect(line).toContain(`app@127.0.0.1:${free}/app`);
    expect(line).toContain("ECONNREFUSED");
  });

  test("a host name that does not exist", async () => {
    const line = await errorOf("postgres://app@no-such-host.invalid/app");
    expect(line).toContain("[SERVER_UNREACHABLE]");
  });

  test("something listens there and never answers", async () => {
    const deaf = createServer().listen(0, "127.0.0.1");
    await once(deaf, "listening");
    const url = `postgres://app:${SECRET}@127.0.0.1:${(deaf.address() as AddressInfo).port}/app`;
    const line = await errorOf(`${url}?connect_timeout=1`);
    deaf.close();
    expect(line).toContain("[SERVER_UNREACHABLE]");
    expect(line).toContain("does not answer");
  });

  test.runIf(isEmbedded)("the password is wrong", async () => {
    const url = `postgres://postgres:${SECRET}@${host}:${port}/postgres?sslmode=require`;
    const line = await errorOf(url);
    expect(line).toContain("[SERVER_REFUSED]");
    expect(line).toContain("28P01");
  });

  test.runIf(isEmbedded)("the database does not exist", async () => {
    const url = `postgres://postgres:${password}@${host}:${port}/nowhere?sslmode=require`;
    expect(await errorOf(url)).toContain('database "nowhere" does not exist (3D000)');
  });

  test.runIf(isEmbedded)("the server refuses plain connections", async () => {
    const url = `postgres://postgres:${password}@${host}:${port}/postgres?sslmode=disable`;
    const line = await errorOf(url);
    expect(line).toContain("[SERVER_REFUSED]");
    expect(line).toContain("no encryption");
  });

  test("the server has no TLS, and sslmode requires it", async () => {
    const server = await startEmbedded({ settings: { ssl: false } });
    const url = `postgres://postgres:${SECRET}@${server.host}:${server.port}/postgres`;
    try {
      expect(await errorOf(`${url}?sslmode=require`)).toContain("[SERVER_NO_TLS]");
    } finally {
      await server.stop();
    }
  });

  test.runIf(isEmbedded)("the server's certificate is not to be trusted", async () => {
    const url = `postgres://postgres:${SECRET}@${host}:${port}/postgres?sslmode=verify-full`;
    expect(await errorOf(url)).toContain("[SERVER_TLS_FAILED]");
  });

  test("DATABASE_URL names it", async () => {
    const line = await errorOf("", { DATABASE_URL: `postgres://app:${SECRET}@127.0.0.1:1/app` });
    expect(line).toContain("DATABASE_URL");
  });
});

test("--dsn wins over DATABASE_URL", async () => {
  const args = ["lab", "run", "--dsn", "postgres://127.0.0.1:1/dsn"];
  const env = { DATABASE_URL: "postgres://127.0.0.1:1/env" };
  expect((await forebay(args, { env })).stderr).toContain("(from --dsn): ");
});

test("a given server is described without its password, and left running", async () => {
  const server = await findServer({ dsn: inject("postgresUrlVerify") });
  await server.stop();
  expect(server).toMatchObject({
    kind: "given",
    url: inject("postgresUrlVerify"),
    description: expect.stringMatching(`^postgres .*@${host}:${port}/`),
  });
  expect(server.version).toMatch(/^\d+\.\d+$/);
  await (await findServer({ dsn: inject("postgresUrlVerify") })).stop();
});

test("an abort ends the wait for a given server that does not answer", async () => {
  const deaf = createServer().listen(0, "127.0.0.1");
  await once(deaf, "listening");
  const controller = new AbortController();
  const reason = new Error("no time");
  const dsn = `postgres://app@127.0.0.1:${(deaf.address() as AddressInfo).port}/app`;
  deaf.once("connection", () => controller.abort(reason));
  await expect(findServer({ dsn, signal: controller.signal })).rejects.toBe(reason);
  deaf.close();
});

test("the end of the embedded server ends the run with status 2", async () => {
  const program = startForebay(["lab", "run", "1"]);
  await program.says(/calibration|scenario 1/);
  process.kill(serverPidOf(program), "SIGQUIT");
  const { status, stderr } = await program.ended;
  expect(status).toBe(2);
  expect(stderr).toMatch(/^forebay: .* has ended: .* \[SERVER_UNREACHABLE\]\. .*$/m);
  expect(leftBehind(program)).toEqual([]);
});

test("what had ended before the server did is reported, and then why", async () => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "ended-test-"));
  const file = path.join(directory, "a.json");
  const program = startForebay(["lab", "run", "7", "9", "--quick", "--json", file]);
  await program.says(/scenario 9: /, 150_000);
  process.kill(serverPidOf(program), "SIGQUIT");
  const { status, stdout, stderr } = await program.ended;
  const report = JSON.parse(fs.readFileSync(file, "utf8")) as LabReport;
  fs.rmSync(directory, { recursive: true });
  expect(status).toBe(2);
  expect(stdout).toContain("Stopped before the end.");
  expect(stderr).toMatch(/^forebay: .* has ended: .* \[SERVER_UNREACHABLE\]\. .*$/m);
  expect(report.partial).toBe(true);
  expect(report.scenarios[0]).toMatchObject({ id: 7, partial: false });
  expect(leftBehind(program)).toEqual([]);
}, 180_000);

describe("an interrupt ends the run, and the server and its files are gone by then:", () => {
  for (const [signal, expected] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const) {
    test(`${signal} in the middle of a scenario gives status ${expected}`, async () => {
      const program = startForebay(["lab", "run", "1"]);
      await program.says(/calibration|scenario 1/);
      const pid = serverPidOf(program);
      program.child.kill(signal);
      const { status, stderr } = await program.ended;
      expect(status).toBe(expected);
      expect(isRunning(pid)).toBe(false);
      expect(leftBehind(program)).toEqual([]);
      expect(stderr).toContain("forebay: stopping");
      expect(stderr).not.toMatch(/^ +at /m);
    });
  }

  test("SIGINT gives status 130 also when the server is lost at the same time", async () => {
    const program = startForebay(["lab", "run", "1"]);
    await program.says(/calibration|scenario 1/);
    program.child.kill("SIGINT");
    process.kill(serverPidOf(program), "SIGQUIT");
    expect((await program.ended).status).toBe(130);
    expect(leftBehind(program)).toEqual([]);
  });

  test("SIGINT while the server starts gives status 130", async () => {
    const program = startForebay(["lab", "run", "1"]);
    await program.says(/preparing/);
    program.child.kill("SIGINT");
    expect((await program.ended).status).toBe(130);
    expect(leftBehind(program)).toEqual([]);
  });

  test("SIGINT leaves reports of what there was, which say that the run was stopped", async () => {
    const directory = fs.mkdtempSync(path.join(os.tmpdir(), "stop-test-"));
    const at = (name: string): string => path.join(directory, name);
    const files = ["--json", at("a.json"), "--html", at("a.html"), "--junit", at("a.xml")];
    const program = startForebay(["lab", "run", "1", "2", "--quick", ...files]);
    await program.says(/calibration/);
    await program.says(/scenario 1: /);
    program.child.kill("SIGINT");
    const { status, stdout, stderr } = await program.ended;
    expect(status).toBe(130);
    const report = JSON.parse(fs.readFileSync(at("a.json"), "utf8")) as LabReport;
    const page = fs.readFileSync(at("a.html"), "utf8");
    const xml = fs.readFileSync(at("a.xml"), "utf8");
    fs.rmSync(directory, { recursive: true });
    expect(report).toMatchObject({ partial: true, summary: { unfinished: 1, notBegun: 1 } });
    expect(page).toContain("… unfinished");
    expect(xml).toContain("stopped before its end");
    expect(xml.trimEnd().endsWith("</testsuites>")).toBe(true);
    expect(stdout).toContain("Stopped before the end.");
    expect(stderr).toContain("scenario 1: unfinished, stopped after");
    expect(leftBehind(program)).toEqual([]);
  }, 120_000);

  test("SIGINT twice gives status 130, and what is left goes a moment later", async () => {
    const program = startForebay(["lab", "run", "1"]);
    await program.says(/calibration|scenario 1/);
    program.child.kill("SIGINT");
    await program.says(/stopping/);
    program.child.kill("SIGINT");
    expect((await program.ended).status).toBe(130);
    await until("the removal of the server's files", () => leftBehind(program).length === 0);
  });

  test("SIGKILL leaves nothing a moment later", async () => {
    const program = startForebay(["lab", "run", "1"]);
    await program.says(/calibration|scenario 1/);
    const pid = serverPidOf(program);
    program.child.kill("SIGKILL");
    await program.ended;
    await until("the end of the server", () => !isRunning(pid));
    await until("the removal of its files", () => leftBehind(program).length === 0);
  });
});

// Linux alone tells, and there is nothing to keep apart on one.
describe.skipIf(process.platform !== "linux" || os.availableParallelism() < 2)("processors", () => {
  test.each([
    ["kept apart", [], true],
    ["left to the system with --no-pin", ["--no-pin"], false],
  ])("are %s", async (_, more, isApart) => {
    const program = startForebay(["lab", "run", "1", "--quick", ...more]);
    await program.says(/calibration/);
    const own = allowedProcessors(program.child.pid ?? 0) ?? [];
    const servers = allowedProcessors(serverPidOf(program)) ?? [];
    program.child.kill("SIGINT");
    await program.ended;
    const all = os.availableParallelism();
    expect([own.length, servers.length]).toEqual(isApart ? [1, all - 1] : [all, all]);
    expect(servers.some((one) => own.includes(one))).toBe(!isApart);
  });
});

describe("on a server that has too few connections for it, a scenario", () => {
  test("is skipped; when no other was run, that is status 2 with the reason", async () => {
    const server = await startEmbedded({ settings: { max_connections: 20 } });
    try {
      const args = ["lab", "run", "2", "--quick", "--dsn", server.url];
      const { status, stdout, stderr } = await forebay(args);
      expect(status).toBe(2);
      expect(stdout).toContain("– skipped: It needs 36 connections");
      expect(stdout).toMatch(/Not judged:\s1 scenario \(1 skipped\)\./);
      expect(stderr).toMatch(/^scenario 2: skipped: It needs 36 connections/m);
      expect(stderr).toMatch(/^forebay: scenario 2 was skipped \[ALL_SKIPPED\]\. It needs/m);
    } finally {
      await server.stop();
    }
  }, 120_000);
});

test("a statement that the server refuses ends the run before it begins", async () => {
  const server = await startEmbedded({ settings: { max_connections: 20 } });
  try {
    const query = "SELECT * FROM no_such_table";
    const run = ["lab", "run", "2", "--quick", "--dsn", server.url, "--query", query];
    const { status, stdout, stderr } = await forebay(run);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toMatch(/^forebay: cannot use .* "no_such_table" .* \[QUERY_REFUSED\]\. Give/m);
  } finally {
    await server.stop();
  }
});

describe("a run to its end, of the scenario that takes the least time,", () => {
  const RUN = ["lab", "run", "9", "--quick"];
  const TIMEOUT_MS = 240_000;
  let directory: string;
  let page: string;
  beforeEach(() => {
    directory = fs.mkdtempSync(path.join(os.tmpdir(), "run-test-"));
    page = path.join(directory, "lab.html");
  });
  afterEach(() => {
    fs.rmSync(directory, { recursive: true, force: true });
  });

  test(
    "with --json - writes JSON to standard output and nothing else, and its status is the verdict",
    async () => {
      const program = startForebay([...RUN, "--json", "-", "--html", page]);
      const { status, stdout, stderr } = await program.ended;
      expect(stderr).toBe("");
      const report = JSON.parse(stdout) as LabReport;
      expect(report.scenarios.map((scenario) => scenario.id)).toEqual([9]);
      const verdict = report.scenarios[0]?.forebay.verdict;
      expect(status).toBe(verdict === "fail" ? 1 : 0);
      expect(fs.readFileSync(page, "utf8")).toContain("<html");
      expect(leftBehind(program)).toEqual([]);
    },
    TIMEOUT_MS,
  );

  test.runIf(fs.existsSync("/dev/full"))(
    "with a full disk prints its table, writes the other report and gives status 2",
    async () => {
      const xml = path.join(directory, "lab.xml");
      const files = ["--json", "/dev/full", "--html", page, "--junit", xml];
      const program = startForebay([...RUN, ...files]);
      const { status, stdout, stderr } = await program.ended;
      expect(status).toBe(2);
      expect(stderr).toMatch(/^forebay: cannot write \/dev\/full: ENOSPC \[REPORT_NOT_WRITABLE\]/m);
      expect(stdout).toContain("Scenario 9");
      expect(fs.readFileSync(xml, "utf8")).toContain('classname="forebay.lab.scenario-09"');
      const began = stderr.split("\n").filter((line) => line.startsWith("scenario 9: "));
      expect(began).toHaveLength(2);
      expect(fs.readFileSync(page, "utf8")).toContain("<html");
      expect(leftBehind(program)).toEqual([]);
    },
    TIMEOUT_MS,
  );
});

// However the process that started a server ends, neither the server nor a file of it remains.

import { execFileSync } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import { connect } from "node:net";
import * as os from "node:os";
import { afterEach, describe, expect, test } from "vitest";
import { startEmbedded } from "../../packages/forebay-cli/src/server/index.ts";
import {
  isRunning,
  leftBehind,
  removeTemporaryDirectories,
  serverPidOf,
  startScript,
  until,
  type Program,
} from "./cli-harness.ts";

afterEach(removeTemporaryDirectories);

async function startHolder(how: string): Promise<{ holder: Program; serverPid: number }> {
  const holder = startScript("./server-holder.ts", how);
  await holder.says(/^server started$/m);
  return { holder, serverPid: serverPidOf(holder) };
}

async function expectNothingLeft(holder: Program, serverPid: number): Promise<void> {
  await until("the end of the server", () => !isRunning(serverPid));
  await until("the removal of its files", () => leftBehind(holder).length === 0);
}

function parentOf(pid: number): number {
  return Number(execFileSync("ps", ["-o", "ppid=", "-p", String(pid)], { encoding: "utf8" }));
}

describe("a server ends, and its files go, when the process that started it", () => {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGKILL"] as const) {
    test(`is ended by ${signal}`, async () => {
      const { holder, serverPid } = await startHolder("stay");
      expect(isRunning(serverPid)).toBe(true);
      expect(leftBehind(holder)).toHaveLength(1);
      holder.child.kill(signal);
      expect((await holder.ended).signal).toBe(signal);
      await expectNothingLeft(holder, serverPid);
    });
  }

  test("calls process.exit", async () => {
    const { holder, serverPid } = await startHolder("exit");
    expect((await holder.ended).status).toBe(3);
    await expectNothingLeft(holder, serverPid);
  });

  test("throws what nobody catches", async () => {
    const { holder, serverPid } = await startHolder("throw");
    expect((await holder.ended).stderr).toContain("thrown on purpose");
    await expectNothingLeft(holder, serverPid);
  });

  test("has nothing more to do, which the server does not prevent", async () => {
    const { holder, serverPid } = await startHolder("return");
    expect((await holder.ended).status).toBe(0);
    await expectNothingLeft(holder, serverPid);
  });

  test("is killed in the middle of the start", async () => {
    const holder = startScript("./server-holder.ts", "stay");
    await holder.says(/preparing/);
    await until("the first file of the data directory", () =>
      leftBehind(holder).some((name) =>
        fs.existsSync(`${holder.temporary}/${name}/home/data/base`),
      ),
    );
    holder.child.kill("SIGKILL");
    await holder.ended;
    await until("the removal of its files", () => leftBehind(holder).length === 0);
  });
});

test("a server ends, and its files go, when its custodian is killed", async () => {
  const { holder, serverPid } = await startHolder("stay");
  process.kill(parentOf(serverPid), "SIGKILL");
  await expectNothingLeft(holder, serverPid);
  holder.child.kill("SIGKILL");
  await holder.ended;
});

test("stop also works with a client connected, and more than once", async () => {
  const server = await startEmbedded();
  const directory = server.caFile.replace(/\/[^/]*$/, "");
  expect(fs.existsSync(directory)).toBe(true);
  const client = connect(server.port, server.host);
  const isClientGone = once(client, "close");
  await once(client, "connect");
  await Promise.all([server.stop(), server.stop()]);
  await server.stop();
  await isClientGone;
  expect(server.lost.aborted).toBe(false);
  expect(isRunning(server.pid)).toBe(false);
  expect(fs.existsSync(directory)).toBe(false);
});

test("a server that dies on its own says so, and stop removes its files", async () => {
  const server = await startEmbedded();
  expect(server.lost.aborted).toBe(false);
  process.kill(server.pid, "SIGQUIT");
  await once(server.lost, "abort");
  expect(server.lost.reason).toMatchObject({ code: "SERVER_UNREACHABLE" });
  expect(isRunning(server.pid)).toBe(false);
  await server.stop();
  expect(fs.existsSync(server.caFile)).toBe(false);
});

test("an abort during the start rejects with its reason and leaves nothing behind", async () => {
  const controller = new AbortController();
  const reason = new Error("changed my mind");
  let directory: string | undefined;
  const before = new Set(fs.readdirSync(os.tmpdir()));
  const starting = startEmbedded({
    signal: controller.signal,
    onProgress: () => {
      directory ??= fs
        .readdirSync(os.tmpdir())
        .find((name) => name.startsWith("forebay-") && !before.has(name));
      setTimeout(() => controller.abort(reason), 200);
    },
  });
  await expect(starting).rejects.toBe(reason);
  expect(directory).toBeDefined();
  expect(fs.existsSync(`${os.tmpdir()}/${directory}`)).toBe(false);
});

test("a failed start says what the server said, and leaves nothing behind", async () => {
  const before = fs.readdirSync(os.tmpdir()).filter((name) => name.startsWith("forebay-"));
  await expect(startEmbedded({ settings: { work_mem: "much" } })).rejects.toMatchObject({
    code: "SERVER_START_FAILED",
    message: expect.stringContaining("work_mem"),
  });
  const after = fs.readdirSync(os.tmpdir()).filter((name) => name.startsWith("forebay-"));
  expect(after.filter((name) => !before.includes(name))).toEqual([]);
});

import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, expect, test } from "vitest";
import {
  cpuLost,
  type CpuReading,
  readCpu,
} from "../../../packages/forebay-cli/src/lab/machine.ts";

/** Takes 200 ms of CPU time, says so, and ends when its input does. */
const BUSY =
  "while (process.cpuUsage().user < 200_000); console.log('done'); process.stdin.resume();";

describe("CPU time of the lab's own programs", () => {
  test.skipIf(process.platform !== "linux")(
    "is counted of those that live, and of those that have ended, not of the server alone",
    async () => {
      const before = await readCpu(process.pid);
      const grandchild = `process.execPath, ["-e", ${JSON.stringify(BUSY)}], { stdio: "inherit" }`;
      const parent = `require("node:child_process").spawn(${grandchild});`;
      const child = spawn(process.execPath, ["-e", parent], { stdio: ["pipe", "pipe", "inherit"] });
      await once(child.stdout, "data");
      const alive = await readCpu(process.pid);
      child.stdin.end();
      await once(child, "exit");
      const ended = await readCpu(process.pid);
      const since = (reading: CpuReading): number => (reading.ownMs ?? 0) - (before.ownMs ?? 0);
      expect(since(alive)).toBeGreaterThanOrEqual(190);
      expect(since(ended)).toBeGreaterThanOrEqual(since(alive));
    },
  );

  test("is unknown where the server's is", async () => {
    expect((await readCpu(undefined)).ownMs).toBeUndefined();
  });

  test("leaves what others took and the host gave away", () => {
    const at = (total: number, busy: number, steal: number, ownMs: number): CpuReading => ({
      machine: { total, busy, steal },
      clientMs: 0,
      serverMs: 0,
      ownMs,
    });
    // Of 1000 ticks of 10 ms 400 were busy, 250 of them with what the lab had started.
    const lost = cpuLost(at(0, 0, 0, 0), at(1000, 400, 30, 2500));
    expect(lost).toEqual({ stealRatio: 0.03, othersRatio: 0.15 });
  });
});

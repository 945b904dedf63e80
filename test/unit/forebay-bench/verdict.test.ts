import { describe, expect, test } from "vitest";
import { judgeLoad, type VerdictFigures } from "../../../packages/forebay-cli/src/bench/verdict.ts";

/** A query of 1 ms, of which nothing waits for anything. */
const QUIET: VerdictFigures = {
  meanMs: 1,
  waitMsPerOp: 0,
  lateMsPerOp: 0,
  loopUtilisationRatio: 0.2,
  clientCpuMsPerOp: 0.05,
  serverCpuRatio: 0.2,
  aloneMs: 1,
};

function boundOf(figures: Partial<VerdictFigures>): string {
  return judgeLoad({ ...QUIET, ...figures }).bound;
}

describe("what limits a load", () => {
  test("is the query, where nothing waits and nothing is busy", () => {
    expect(boundOf({})).toBe("query-bound");
  });

  test("is the query, too, where the wait is less than a tenth of the response", () => {
    expect(boundOf({ meanMs: 1.09, waitMsPerOp: 0.09 })).toBe("query-bound");
    expect(boundOf({ meanMs: 1.12, waitMsPerOp: 0.12 })).toBe("pool-bound");
  });

  test("is the pool, where requests wait for connections and all else has room", () => {
    expect(boundOf({ meanMs: 4, waitMsPerOp: 3 })).toBe("pool-bound");
  });

  test("is the event loop, where that is busy, whatever waits", () => {
    const busy = { loopUtilisationRatio: 0.95, clientCpuMsPerOp: 0.5 };
    expect(boundOf(busy)).toBe("loop-bound");
    expect(boundOf({ ...busy, meanMs: 40, waitMsPerOp: 30, serverCpuRatio: 1 })).toBe("loop-bound");
  });

  test("is the event loop, where requests are begun late for other reasons than timers", () => {
    expect(boundOf({ meanMs: 30, lateMsPerOp: 29 })).toBe("loop-bound");
    expect(boundOf({ meanMs: 2.5, lateMsPerOp: 1.5 })).toBe("query-bound");
  });

  test("is the server, where its CPUs are busy, though requests wait for connections", () => {
    expect(boundOf({ meanMs: 40, waitMsPerOp: 30, serverCpuRatio: 0.9, aloneMs: 8 })).toBe(
      "server-bound",
    );
  });

  test("is the server, where a query takes twice as long as alone", () => {
    expect(boundOf({ meanMs: 2.2 })).toBe("server-bound");
    expect(boundOf({ meanMs: 1.8 })).toBe("query-bound");
    expect(boundOf({ meanMs: 2.2, serverCpuRatio: undefined })).toBe("server-bound");
  });

  test("is not the server, where it is the loop's own work that takes the time", () => {
    const loop = { loopUtilisationRatio: 0.8, clientCpuMsPerOp: 0.3 };
    expect(boundOf({ meanMs: 2.2, ...loop })).toBe("query-bound");
    expect(boundOf({ meanMs: 4.5, ...loop })).toBe("server-bound");
  });

  test("is not the server for the time that was spent waiting for a connection, or late", () => {
    expect(boundOf({ meanMs: 9, waitMsPerOp: 8 })).toBe("pool-bound");
    expect(boundOf({ meanMs: 2.4, lateMsPerOp: 1.2 })).toBe("query-bound");
  });
});

describe("the reason", () => {
  test("has the figures, and says what to change", () => {
    const { because } = judgeLoad({ ...QUIET, meanMs: 4, waitMsPerOp: 3 });
    expect(because).toContain("75 %");
    expect(because).toContain("maxOpenConns");
  });

  test("does not blame the CPUs of a server that are idle", () => {
    const slow = { ...QUIET, meanMs: 9 };
    expect(judgeLoad({ ...slow, serverCpuRatio: 0.1 }).because).toContain("locks, the disk");
    expect(judgeLoad({ ...slow, serverCpuRatio: 0.9 }).because).not.toContain("locks");
    expect(judgeLoad({ ...slow, serverCpuRatio: undefined }).because).not.toContain("CPU");
  });
});

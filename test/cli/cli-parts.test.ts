// The parts of the command that can be tried without running it: progress display, report files,
// error lines.

import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  checkReportFiles,
  writeReportFiles,
  type ReportFile,
} from "../../packages/forebay-cli/src/commands/report-files.ts";
import { stateOf } from "../../packages/forebay-cli/src/commands/lab-display.ts";
import { CliError, errorLine } from "../../packages/forebay-cli/src/errors.ts";
import type { LabProgress } from "../../packages/forebay-cli/src/lab/index.ts";
import { reportError } from "../../packages/forebay-cli/src/main.ts";
import {
  explainConnectFailure,
  explainServerFailure,
} from "../../packages/forebay-cli/src/server/failure.ts";
import { createProgress } from "../../packages/forebay-cli/src/terminal/progress.ts";

const ESCAPE = "\u001B";

class FakeStream {
  readonly isTTY: boolean;
  readonly columns: number;
  written = "";

  constructor(isTTY: boolean, columns = 60) {
    this.isTTY = isTTY;
    this.columns = columns;
  }

  write(text: string): void {
    this.written += text;
  }
}

/** A terminal takes away its line, and what stands below it. */
const ERASE = `\r${ESCAPE}[J`;
const UP = `${ESCAPE}[1A`;

/** What was drawn, one picture after the other. */
function drawn(stream: FakeStream): string[] {
  return stream.written.split(ERASE).slice(1);
}

describe("progress on a terminal", () => {
  const env = { NO_COLOR: "1" };

  test("rewrites its lines, and leaves none of them behind", () => {
    const stream = new FakeStream(true);
    const progress = createProgress({ stream, env, nowMs: () => 0 });
    progress.update({ text: "first" });
    progress.update({ text: "second", detail: "round 2", fraction: 0.5 });
    const bar = "██████████░░░░░░░░░░  50%";
    expect(drawn(stream).at(-1)).toBe(`${bar} 0:00 second\n  round 2${UP}\r`);
    progress.end();
    expect(stream.written.endsWith(`${UP}\r${ERASE}`)).toBe(true);
    const { length } = stream.written;
    progress.end();
    expect(stream.written).toHaveLength(length);
  });

  test("tells the time that is left, which grows less without news", () => {
    const stream = new FakeStream(true);
    let nowMs = 0;
    const progress = createProgress({ stream, env, nowMs: () => nowMs });
    nowMs = 5_000;
    const state = { text: "text", remainingMs: 65_000 };
    progress.update(state);
    expect(drawn(stream).at(-1)).toBe("0:05, 1:05 left text\r");
    vi.useFakeTimers();
    try {
      const ticking = createProgress({ stream, env, nowMs: () => nowMs });
      ticking.update(state);
      nowMs += 70_000;
      vi.advanceTimersToNextTimer();
      ticking.end();
    } finally {
      vi.useRealTimers();
    }
    expect(drawn(stream).at(-2)).toBe("1:10, 0:00 left text\r");
    progress.end();
  });

  test("is never as wide as the terminal, which would make more lines of it", () => {
    const stream = new FakeStream(true, 40);
    const progress = createProgress({ stream, env, nowMs: () => 0 });
    const long = "a long text ".repeat(10);
    progress.update({ text: long, detail: long, fraction: 1 });
    progress.end();
    const [first = "", second = ""] = (drawn(stream)[0] ?? "").replace(`${UP}\r`, "").split("\n");
    for (const line of [first, second]) {
      expect(line).toHaveLength(39);
      expect(line.endsWith("…")).toBe(true);
    }
  });

  test("has colour unless NO_COLOR is set to something", () => {
    for (const [value, expected] of [
      [undefined, true],
      ["", true],
      ["1", false],
    ] as const) {
      const stream = new FakeStream(true);
      const colour = value === undefined ? {} : { NO_COLOR: value };
      const progress = createProgress({ stream, env: colour, nowMs: () => 0 });
      progress.update({ text: "text", fraction: 0.1 });
      progress.end();
      expect(stream.written.includes(`${ESCAPE}[36m`)).toBe(expected);
    }
  });

  test("comes back after something else was written", () => {
    const stream = new FakeStream(true);
    const progress = createProgress({ stream, env: {}, nowMs: () => 0 });
    progress.update({ text: "before" });
    progress.clear();
    stream.write("something else\n");
    progress.update({ text: "after" });
    progress.end();
    expect(stream.written).toMatch(/something else\n.*after/s);
  });

  test("keeps a line that is to stay, and goes on below it", () => {
    const stream = new FakeStream(true);
    const progress = createProgress({ stream, env, nowMs: () => 0 });
    progress.update({ text: "one", detail: "detail" });
    progress.line("one is done");
    progress.end();
    expect(stream.written).toContain(`${ERASE}one is done\n${ERASE}0:00 one\n  detail`);
  });
});

describe("progress elsewhere", () => {
  const plainStreams = [
    { where: "in a file", stream: () => new FakeStream(false), env: {} },
    { where: "on a dumb terminal", stream: () => new FakeStream(true), env: { TERM: "dumb" } },
  ];
  for (const { where, stream, env } of plainStreams) {
    test(`is plain lines ${where}: one for each thing that begins, and those that stay`, () => {
      const target = stream();
      const progress = createProgress({ stream: target, env });
      progress.update({ text: "one", fraction: 0 });
      progress.update({ text: "one", detail: "round 1", fraction: 0.1 });
      progress.update({ text: "one", detail: "round 2", fraction: 0.2 });
      progress.line("one is done");
      progress.update({ text: "two", fraction: 0.5 });
      progress.end();
      expect(target.written).toBe("one\none is done\ntwo\n");
    });
  }

  test("is nothing when quiet", () => {
    const stream = new FakeStream(true);
    const progress = createProgress({ stream, mode: "quiet" });
    progress.update({ text: "one", fraction: 0 });
    progress.line("a line");
    progress.clear();
    progress.end();
    expect(stream.written).toBe("");
  });
});

describe("what is shown of a run while it goes on", () => {
  const at: LabProgress = {
    scenario: 2,
    title: "Idle as open",
    position: 1,
    of: 3,
    arm: "bursts",
    note: "round 1 of 8",
    figure: "p99 8 ms",
    fraction: 0.25,
    remainingMs: 9000,
  };

  test("is the scenario, and below it the arm, the round and the figure that matters", () => {
    expect(stateOf(at)).toEqual({
      text: "scenario 2: Idle as open (1 of 3)",
      detail: "bursts · round 1 of 8 · p99 8 ms",
      fraction: 0.25,
      remainingMs: 9000,
    });
    expect(stateOf({ ...at, of: 1, note: "", figure: "" })).toMatchObject({
      text: "scenario 2: Idle as open",
      detail: "bursts",
    });
    expect(stateOf({ ...at, scenario: 0, arm: "calibration" })).toMatchObject({
      text: "calibration",
      detail: "",
    });
  });
});

describe("report files", () => {
  let directory: string;
  beforeEach(() => {
    directory = fs.mkdtempSync(path.join(os.tmpdir(), "report-test-"));
  });
  afterEach(() => {
    fs.rmSync(directory, { recursive: true, force: true });
  });
  const at = (name: string): ReportFile => ({
    file: path.join(directory, name),
    option: "--json",
  });

  test("that exist are not changed by the check, nor by a run without a report", () => {
    const old = at("old");
    fs.writeFileSync(old.file, "the last report");
    checkReportFiles([old])();
    expect(fs.readFileSync(old.file, "utf8")).toBe("the last report");
  });

  test("that the check made are removed again unless a report was written", () => {
    const files = [at("one"), at("two")] as const;
    const removeEmpty = checkReportFiles(files);
    fs.writeFileSync(files[1].file, "report");
    removeEmpty();
    expect(fs.readdirSync(directory)).toEqual(["two"]);
  });

  test("of which one cannot be written leave nothing behind of the others", () => {
    expect(() => checkReportFiles([at("one"), at("none/two")])).toThrow(
      expect.objectContaining({ code: "REPORT_NOT_WRITABLE" }),
    );
    expect(fs.readdirSync(directory)).toEqual([]);
  });

  test.runIf(fs.existsSync("/dev/full"))(
    "on a full disk fail with a code, after the others are written",
    async () => {
      const full: ReportFile = { file: "/dev/full", option: "--json" };
      const other = at("other");
      checkReportFiles([full, other]);
      const writing = writeReportFiles([full, other], (file) => fs.writeFileSync(file, "report"));
      await expect(writing).rejects.toMatchObject({
        code: "REPORT_NOT_WRITABLE",
        message: "cannot write /dev/full: ENOSPC",
      });
      expect(fs.readFileSync(other.file, "utf8")).toBe("report");
    },
  );

  test("whose writer has a bug pass the bug on", async () => {
    const bug = new TypeError("x is not a function");
    const writing = writeReportFiles([at("one")], () => {
      throw bug;
    });
    await expect(writing).rejects.toBe(bug);
  });
});

test("an error is one line whatever its message holds", () => {
  const error = new CliError("USAGE", "two\n  lines", "Do this.");
  expect(errorLine(error)).toBe("forebay: two lines [USAGE]. Do this.");
});

test("an error that nobody foresaw is reported in the same way, and gives status 2", () => {
  const write = vi.spyOn(process.stderr, "write").mockReturnValue(true);
  const status = reportError(new TypeError("x is not a function"));
  expect(status).toBe(2);
  expect(write.mock.calls).toEqual([
    [expect.stringMatching(/^forebay: x is not a function \[UNEXPECTED\]\. .*please report it/)],
  ]);
});

describe("a failure of the server", () => {
  const failure = (fields: object): Error => Object.assign(new Error("reason [CODE]"), fields);
  const cases = [
    { fields: { sqlstate: "28P01" }, code: "SERVER_REFUSED" },
    { fields: { sqlstate: "28000" }, code: "SERVER_REFUSED" },
    { fields: { sqlstate: "42501" }, code: "SERVER_REFUSED" },
    { fields: { sqlstate: "53300" }, code: "SERVER_REFUSED" },
    { fields: { sqlstate: "53100" }, code: "SERVER_REFUSED" },
    { fields: { sqlstate: "57P01" }, code: "SERVER_UNREACHABLE" },
    { fields: { sqlstate: "57P03" }, code: "SERVER_UNREACHABLE" },
    { fields: { code: "TLS_UNAVAILABLE" }, code: "SERVER_NO_TLS" },
    { fields: { code: "TLS_FAILED" }, code: "SERVER_TLS_FAILED" },
    { fields: { code: "AUTH_FAILED" }, code: "SERVER_REFUSED" },
    { fields: { code: "CONNECT_TIMEOUT" }, code: "SERVER_UNREACHABLE" },
    { fields: { code: "EAI_AGAIN" }, code: "SERVER_UNREACHABLE" },
    {
      fields: { code: "CONNECT_FAILED", cause: failure({ code: "ECONNRESET" }) },
      code: "SERVER_UNREACHABLE",
    },
  ];
  for (const { fields, code } of cases) {
    test(`with ${JSON.stringify(fields)} is ${code}`, () => {
      const explained = explainServerFailure(failure(fields), "the server");
      expect(explained?.code).toBe(code);
      expect(explained?.message).toContain("the server");
      expect(explained?.message).not.toContain("[CODE]");
      expect(explained?.nextStep).toMatch(/\.$/);
    });
  }

  test("is not what a mistake in our own SQL or code is", () => {
    for (const error of [failure({ sqlstate: "42601" }), failure({ code: "ERR_X" }), 1, null]) {
      expect(explainServerFailure(error, "the server")).toBeUndefined();
    }
  });

  test("in connecting has a code whatever it is", () => {
    const codeOf = (error: unknown): string => explainConnectFailure(error, "the server").code;
    expect(codeOf(failure({ sqlstate: "22023" }))).toBe("SERVER_REFUSED");
    expect(codeOf(failure({}))).toBe("SERVER_UNREACHABLE");
    expect(codeOf("a string")).toBe("SERVER_UNREACHABLE");
  });
});

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
import { CliError, errorLine } from "../../packages/forebay-cli/src/errors.ts";
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

describe("progress on a terminal", () => {
  test("rewrites one line, and leaves none of it behind", () => {
    const stream = new FakeStream(true);
    const progress = createProgress({ stream, env: { NO_COLOR: "1" }, nowMs: () => 0 });
    progress.update("first");
    progress.update("second", 0.5);
    expect(stream.written).not.toContain("\n");
    expect(stream.written.split("\r").at(-1)).toBe(
      `${ESCAPE}[K██████████░░░░░░░░░░  50% 0:00 second`,
    );
    progress.end();
    expect(stream.written.endsWith(`\r${ESCAPE}[K`)).toBe(true);
    const { length } = stream.written;
    progress.end();
    expect(stream.written).toHaveLength(length);
  });

  test("is never as wide as the terminal, which would make two lines of it", () => {
    const stream = new FakeStream(true, 40);
    const progress = createProgress({ stream, env: { NO_COLOR: "1" }, nowMs: () => 0 });
    progress.update("a long text ".repeat(10), 1);
    progress.end();
    const shown = stream.written.split(`\r${ESCAPE}[K`)[1] ?? "";
    expect(shown).toHaveLength(39);
    expect(shown.endsWith("…")).toBe(true);
  });

  test("has colour unless NO_COLOR is set to something", () => {
    for (const [value, expected] of [
      [undefined, true],
      ["", true],
      ["1", false],
    ] as const) {
      const stream = new FakeStream(true);
      const env = value === undefined ? {} : { NO_COLOR: value };
      const progress = createProgress({ stream, env, nowMs: () => 0 });
      progress.update("text", 0.1);
      progress.end();
      expect(stream.written.includes(`${ESCAPE}[36m`)).toBe(expected);
    }
  });

  test("comes back after something else was written", () => {
    const stream = new FakeStream(true);
    const progress = createProgress({ stream, env: {}, nowMs: () => 0 });
    progress.update("before");
    progress.clear();
    stream.write("something else\n");
    progress.update("after");
    progress.end();
    expect(stream.written).toMatch(/something else\n.*after/s);
  });
});

describe("progress elsewhere", () => {
  const plainStreams = [
    { where: "in a file", stream: () => new FakeStream(false), env: {} },
    { where: "on a dumb terminal", stream: () => new FakeStream(true), env: { TERM: "dumb" } },
  ];
  for (const { where, stream, env } of plainStreams) {
    test(`is plain lines ${where}: one for each new text, and now and then`, () => {
      const target = stream();
      let nowMs = 0;
      const progress = createProgress({ stream: target, env, nowMs: () => nowMs });
      progress.update("one", 0);
      progress.update("one", 0.1);
      progress.update("two", 0.25);
      nowMs = 31_000;
      progress.update("two", 0.5);
      progress.end();
      expect(target.written).toBe("  0%  one\n 25%  two\n 50%  two\n");
    });
  }

  test("is nothing when quiet", () => {
    const stream = new FakeStream(true);
    const progress = createProgress({ stream, mode: "quiet" });
    progress.update("one", 0);
    progress.clear();
    progress.end();
    expect(stream.written).toBe("");
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

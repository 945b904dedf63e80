import { describe, expect, test } from "vitest";
import type { LabReport } from "../../../packages/forebay-cli/src/lab/run.ts";
import type { ScenarioReport } from "../../../packages/forebay-cli/src/lab/scenario.ts";
import { tallyOf } from "../../../packages/forebay-cli/src/lab/outcome.ts";
import { escape, html } from "../../../packages/forebay-cli/src/report/escape.ts";
import { renderHtml } from "../../../packages/forebay-cli/src/report/html.ts";
import { renderJunit } from "../../../packages/forebay-cli/src/report/junit.ts";
import { renderTerminal } from "../../../packages/forebay-cli/src/report/terminal.ts";

const HOSTILE = `<script>alert("1")</script> & 'x'`;

const scenario: ScenarioReport = {
  id: 7,
  title: `Title ${HOSTILE}`,
  headline: `Headline ${HOSTILE}`,
  experiment: "Experiment.",
  claim: {
    text: "The claim.",
    verdict: "refuted",
    why: `Why ${HOSTILE}`,
    parts: [{ text: "A part.", verdict: "holds", measured: "Measured 3 %." }],
  },
  forebay: {
    verdict: "inconclusive",
    why: "Because.",
    checks: [
      {
        name: `Check ${HOSTILE}`,
        value: 0.3,
        low: 0.2,
        high: 0.4,
        unit: "×",
        threshold: "<= 0.35",
        pass: false,
        verdict: "inconclusive",
        note: "A note.",
      },
    ],
  },
  predictions: [{ what: "W", theory: "T", predicted: 1, measured: 2, unit: "ms" }],
  arms: [
    {
      name: HOSTILE,
      role: "negative control",
      settings: { maxOpenConns: "unlimited" },
      measures: { p99Ms: 1.5 },
    },
  ],
  plots: [
    {
      kind: "lines",
      title: HOSTILE,
      note: `Note ${HOSTILE}`,
      x: { label: "percentile", scale: "percentile" },
      y: { label: "ms", scale: "log" },
      series: [
        {
          name: HOSTILE,
          style: "line",
          points: [
            [1, 0.5],
            [50, 1],
            [99, 10],
          ],
        },
        { name: "dots", style: "dots", points: [[50, 2]] },
      ],
    },
    {
      kind: "bars",
      title: "Bars",
      note: "N",
      x: { label: "ms", scale: "log" },
      bars: [
        { name: HOSTILE, value: 0, role: "baseline", label: "0" },
        { name: "b", value: 1000, role: "change", label: "1 s" },
      ],
    },
  ],
  whatToSet: { code: "openDB(c, { maxOpenConns: 16 })", when: "When.", notWhen: "Not." },
  caveats: ["A caveat."],
  conditions: {
    eventLoopUtilisationRatio: 0.2,
    eventLoopDelayP99Ms: 1,
    roundsTakenAgain: 2,
    warnings: ["busy."],
  },
  durationMs: 1234,
  partial: false,
};

const report: LabReport = {
  server: {
    kind: "embedded",
    description: `PostgreSQL ${HOSTILE}`,
    version: "18.4",
    maxConnections: 40,
    isTls: true,
    authentication: "scram-sha-256",
    isDurable: true,
    budgetNote: "All may be used.",
  },
  machine: { cpu: HOSTILE, cores: 2, memoryBytes: 2 ** 33, os: "linux", node: "v20" },
  startedAt: "2026-01-02T03:04:05.678Z",
  durationMs: 60_000,
  isQuick: true,
  partial: false,
  calibration: {
    queryP50Ms: 0.1,
    queryP99Ms: 0.2,
    connectP50Ms: 8,
    connectP99Ms: 9,
    commitP50Ms: 0.3,
    timerLateP99Ms: 1,
    sameArmRatio: { value: 1, low: 0.98, high: 1.02 },
  },
  summary: {
    claims: { holds: 0, refuted: 1, inconclusive: 0 },
    forebay: { pass: 0, fail: 0, inconclusive: 1 },
    skipped: 0,
    unfinished: 0,
    notBegun: 0,
  },
  scenarios: [scenario],
};

const skipped: ScenarioReport = {
  ...scenario,
  id: 3,
  title: "Behind a balancer",
  headline: "It needs HAProxy.",
  claim: { text: "", verdict: "skipped", why: "It needs HAProxy.", parts: [] },
  forebay: { verdict: "skipped", why: "It needs HAProxy.", checks: [] },
  plots: [],
  arms: [],
  skipped: "It needs HAProxy.",
  missing: "haproxy",
};
const unfinished: ScenarioReport = {
  ...scenario,
  id: 4,
  headline: "The run was stopped before its end.",
  claim: { text: "", verdict: "inconclusive", why: "", parts: [] },
  forebay: { verdict: "inconclusive", why: "", checks: [] },
  plots: [],
  arms: [],
  partial: true,
};
const mixed: LabReport = {
  ...report,
  partial: true,
  summary: tallyOf([scenario, skipped, unfinished], 5),
  scenarios: [scenario, skipped, unfinished],
};

describe("the page", () => {
  const page = renderHtml(report);

  test("writes out everything that has a meaning in HTML, wherever it came from", () => {
    expect(page).not.toContain("<script");
    expect(page).not.toContain('alert("1")');
    expect(page.split("&lt;script&gt;").length).toBeGreaterThan(10);
  });

  test("needs nothing from elsewhere, and runs nothing", () => {
    expect(page).not.toMatch(/\b(?:src|srcset)=|url\(|@import|<link|<script|<iframe|https?:\/\//);
    expect(page).not.toMatch(/\son\w+=/);
  });

  test("says both verdicts in words, at the top and at the scenario", () => {
    expect(page.split("≠ refuted").length - 1).toBe(2);
    expect(page.split("? inconclusive").length - 1).toBe(3);
    expect(page.indexOf("≠ refuted")).toBeLessThan(page.indexOf("Where it was measured"));
  });

  test("shows a check with its interval and its threshold, and settings to copy", () => {
    expect(page).toContain("0.3 × (0.2 to 0.4)");
    expect(page).toContain("&lt;= 0.35");
    expect(page).toContain("openDB(c, { maxOpenConns: 16 })");
  });

  test("has no figure that is none, in plots with a zero and with a single point too", () => {
    expect(page).not.toMatch(/NaN|undefined|Infinity/);
  });

  test("follows the reader's light or dark scheme and the width of a phone", () => {
    expect(page).toContain("prefers-color-scheme: dark");
    expect(page).toContain('name="viewport"');
  });

  test("marks scenarios that were not judged, says why, and shows nothing of them", () => {
    const notJudged = renderHtml({ ...mixed, scenarios: [skipped, unfinished] });
    expect(notJudged).toContain("Not judged: It needs HAProxy.");
    expect(notJudged).toContain("apt-get install haproxy");
    expect(notJudged).toContain("stopped before its end");
    expect(notJudged).not.toContain("<figure");
    expect(notJudged.split("– skipped").length - 1).toBe(3);
    expect(notJudged.split("… unfinished").length - 1).toBe(3);
    expect(notJudged).not.toMatch(/✓|\? inconclusive/);
  });

  test("counts at the top what held, was refuted, was undecided or not judged", () => {
    const [top = ""] = renderHtml(mixed).split("<table");
    for (const words of ["0 held", "1 refuted", "1 inconclusive", "1 skipped", "1 unfinished"]) {
      expect(top).toContain(words);
    }
    expect(top).toContain("Not begun: 2.");
    expect(top).not.toContain("2 inconclusive");
  });

  test("shows the user's statement where there was one", () => {
    expect(renderHtml({ ...report, query: "SELECT '<b>'" })).toContain(
      "SELECT &#39;&lt;b&gt;&#39;",
    );
  });
});

describe("the table", () => {
  test("keeps to the width, and says both verdicts and each check", () => {
    const text = renderTerminal(report, 80);
    expect(Math.max(...text.split("\n").map((row) => row.length))).toBeLessThanOrEqual(80);
    expect(text).toContain("≠ refuted");
    expect(text).toContain("? inconclusive");
    expect(text).toContain("<= 0.35");
    expect(text).toContain("left undecided: busy.");
  });
});

describe("the table of a run in which not all was judged", () => {
  const text = renderTerminal(mixed, 80);

  test("marks skipped and unfinished scenarios, never as passed or inconclusive", () => {
    const [summary = ""] = text.split("Scenario 7");
    expect(summary).toMatch(/│ 3 +│ – skipped +│ – skipped +│/);
    expect(summary).toMatch(/│ 4 +│ … unfinished +│ … unfinished +│/);
    expect(text).toContain("– skipped: It needs HAProxy.");
    expect(text).toContain("apt-get install haproxy");
  });

  test("ends with the counts", () => {
    const [, end] = text.replaceAll("\n", " ").trimEnd().split("Stopped before the end. ");
    expect(end).toBe(
      "Claims: 0 held, 1 refuted, 0 inconclusive. " +
        "Forebay: 0 passed, 0 failed, 1 inconclusive. " +
        "Not judged: 4 scenarios (1 skipped, 1 unfinished and 2 not begun).",
    );
  });
});

describe("JUnit's XML", () => {
  const check = scenario.forebay.checks[0];
  if (check === undefined) throw new Error("there is no check");
  const forebay = {
    ...scenario.forebay,
    checks: [
      { ...check, name: "one", verdict: "pass", pass: true } as const,
      { ...check, name: "two", verdict: "fail" } as const,
      { ...check, name: `three ${HOSTILE}`, note: "bell \u0007 and\nline" } as const,
    ],
  };
  const xml = renderJunit({ ...mixed, scenarios: [{ ...scenario, forebay }, skipped, unfinished] });

  test("has a suite for each scenario and a case for each check, with the counts of each", () => {
    expect(xml.match(/<testsuites [^>]*>/)?.[0]).toMatch(
      /tests="5" failures="1" errors="0" skipped="3"/,
    );
    const suites = xml.match(/<testsuite [^>]*>/g) ?? [];
    expect(suites.map((suite) => /tests=".*skipped="\d+"/.exec(suite)?.[0])).toEqual([
      'tests="3" failures="1" errors="0" skipped="1"',
      'tests="1" failures="0" errors="0" skipped="1"',
      'tests="1" failures="0" errors="0" skipped="1"',
    ]);
    expect(xml.match(/<testcase /g)).toHaveLength(5);
  });

  test("says of what failed, was undecided or was skipped what was measured, or why", () => {
    expect(xml).toContain('<failure message="0.3 × (0.2 to 0.4), wanted &lt;= 0.35">');
    expect(xml).toContain('<skipped message="inconclusive: 0.3 × (0.2 to 0.4), wanted');
    expect(xml).toContain('message="It needs HAProxy. Install it, on Debian: apt-get install');
    expect(xml).toContain('message="The run was stopped before its end."');
    expect(xml).toContain("stopped before its end");
  });

  test("is well formed whatever a report says", () => {
    expect(xml).not.toContain("<script");
    expect(xml).not.toContain("\u0007");
    const tags = [...xml.matchAll(/<(\/?[a-z-]+)(?: [a-z]+="[^"<]*")*\/?>/g)];
    expect(tags).toHaveLength(xml.split("<").length - 2);
    const open: string[] = [];
    for (const [tag, name = ""] of tags) {
      if (name.startsWith("/") && open.pop() !== name.slice(1)) open.push(`no ${tag}`);
      if (!name.startsWith("/") && !tag.endsWith("/>")) open.push(name);
    }
    expect(open).toEqual([]);
  });
});

test("templates escape text, keep markup, join lists, and drop what is undefined", () => {
  const inner = html`<b>${"<"}</b>`;
  expect(html`<p title="${'"'}">${[inner, 1, undefined]}</p>`.markup).toBe(
    '<p title="&quot;"><b>&lt;</b>1</p>',
  );
  expect(escape("96 % of 5 ms in 3 steps")).toBe("96&nbsp;% of 5&nbsp;ms in 3 steps");
});

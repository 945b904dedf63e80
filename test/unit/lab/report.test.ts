import { describe, expect, test } from "vitest";
import type { LabReport } from "../../../packages/forebay-cli/src/lab/run.ts";
import type { ScenarioReport } from "../../../packages/forebay-cli/src/lab/scenario.ts";
import { escape, html } from "../../../packages/forebay-cli/src/report/escape.ts";
import { renderHtml } from "../../../packages/forebay-cli/src/report/html.ts";
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
  conditions: { eventLoopUtilisationRatio: 0.2, eventLoopDelayP99Ms: 1, warnings: ["busy."] },
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
  scenarios: [scenario],
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

  test("marks a scenario that was not finished, and shows nothing of it", () => {
    const unfinished = renderHtml({
      ...report,
      partial: true,
      scenarios: [{ ...scenario, plots: [], arms: [], partial: true }],
    });
    expect(unfinished).toContain("Not judged");
    expect(unfinished).toContain("stopped before its end");
    expect(unfinished).not.toContain("<figure");
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

test("templates escape text, keep markup, join lists, and drop what is undefined", () => {
  const inner = html`<b>${"<"}</b>`;
  expect(html`<p title="${'"'}">${[inner, 1, undefined]}</p>`.markup).toBe(
    '<p title="&quot;"><b>&lt;</b>1</p>',
  );
  expect(escape("96 % of 5 ms in 3 steps")).toBe("96&nbsp;% of 5&nbsp;ms in 3 steps");
});

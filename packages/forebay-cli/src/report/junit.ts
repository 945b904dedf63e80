// The report for CI systems: JUnit's XML, as they read it. One test suite for each scenario, one
// test case for each check of Forebay. The guide's claims are no tests: they are properties.

import type { Check, LabReport, ScenarioReport } from "../lab/index.ts";
import { figure } from "../lab/words.ts";
import { howToInstall } from "./verdicts.ts";

/** The report as XML. */
export function renderJunit(report: LabReport): string {
  const suites = report.scenarios.map((scenario) => suiteOf(report, scenario));
  const cases = suites.flatMap((suite) => suite.cases);
  const state = report.partial ? ", stopped before its end" : "";
  const open = tag("testsuites", {
    name: `forebay lab${state}`,
    ...countsOf(cases),
    time: seconds(report.durationMs),
    timestamp: report.startedAt,
  });
  const body = suites.map(({ markup }) => markup).join("");
  return `<?xml version="1.0" encoding="UTF-8"?>\n${open}\n${body}</testsuites>\n`;
}

interface Case {
  readonly outcome: "passed" | "failure" | "skipped";
  readonly markup: string;
}

interface Suite {
  readonly cases: readonly Case[];
  readonly markup: string;
}

function suiteOf(report: LabReport, scenario: ScenarioReport): Suite {
  const name = `${scenario.id}. ${scenario.title}`;
  const className = `forebay.lab.scenario-${String(scenario.id).padStart(2, "0")}`;
  const cases = isJudged(scenario)
    ? scenario.forebay.checks.map((check) => caseOf(className, check))
    : [notRun(className, scenario)];
  const open = tag("testsuite", {
    name,
    ...countsOf(cases),
    time: seconds(scenario.durationMs),
    timestamp: report.startedAt,
  });
  const properties = isJudged(scenario) ? propertiesOf(scenario) : "";
  const body = cases.map(({ markup }) => markup).join("");
  return { cases, markup: `${open}\n${properties}${body}</testsuite>\n` };
}

function isJudged(scenario: ScenarioReport): boolean {
  return !scenario.partial && scenario.skipped === undefined;
}

/** A scenario without checks would be a suite that nobody sees. */
function notRun(className: string, scenario: ScenarioReport): Case {
  const message = [scenario.headline, howToInstall(scenario)].filter((part) => part !== "");
  return {
    outcome: "skipped",
    markup: testCase(className, "the scenario", child("skipped", message.join(" "), "")),
  };
}

function caseOf(className: string, check: Check): Case {
  const unit = check.unit === undefined ? "" : ` ${check.unit}`;
  const interval =
    check.low === undefined || check.high === undefined
      ? ""
      : ` (${figure(check.low)} to ${figure(check.high)})`;
  const measured = `${figure(check.value)}${unit}${interval}, wanted ${check.threshold}`;
  const note = check.note ?? "";
  if (check.verdict === "pass") {
    const output = `<system-out>${escapeXml(measured)}</system-out>`;
    return { outcome: "passed", markup: testCase(className, check.name, output) };
  }
  return check.verdict === "fail"
    ? {
        outcome: "failure",
        markup: testCase(className, check.name, child("failure", measured, note)),
      }
    : {
        outcome: "skipped",
        markup: testCase(
          className,
          check.name,
          child("skipped", `inconclusive: ${measured}`, note),
        ),
      };
}

function propertiesOf({ claim, headline }: ScenarioReport): string {
  const property = (name: string, value: string): string =>
    `${tag("property", { name, value }).slice(0, -1)}/>\n`;
  return `<properties>\n${[
    property("headline", headline),
    property("claim", claim.verdict),
    property("why", claim.why),
  ].join("")}</properties>\n`;
}

function testCase(className: string, name: string, content: string): string {
  return `${tag("testcase", { classname: className, name, time: "0" })}${content}</testcase>\n`;
}

function child(kind: "failure" | "skipped", message: string, text: string): string {
  return `${tag(kind, { message })}${escapeXml(text)}</${kind}>`;
}

function countsOf(cases: readonly Case[]): Record<string, string> {
  const count = (wanted: Case["outcome"]): string =>
    String(cases.filter(({ outcome }) => outcome === wanted).length);
  return {
    tests: String(cases.length),
    failures: count("failure"),
    errors: "0",
    skipped: count("skipped"),
  };
}

function tag(name: string, attributes: Readonly<Record<string, string>>): string {
  const written = Object.entries(attributes).map(([key, value]) => ` ${key}="${escapeXml(value)}"`);
  return `<${name}${written.join("")}>`;
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(3);
}

/** XML has no way at all to write the other control characters. */
function escapeXml(text: string): string {
  return text
    .replaceAll(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, "\uFFFD")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll(/[\n\r\t]/g, (found) => `&#${found.charCodeAt(0)};`);
}

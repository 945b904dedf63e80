// The report as one page: no script, and nothing from elsewhere. The head of it is here; a
// scenario's part is in section.ts.

import type { LabReport, ScenarioReport } from "../lab/index.ts";
import { duration, figure, withInterval } from "../lab/words.ts";
import { html, type Markup, type Part, raw } from "./escape.ts";
import { pill, renderScenario, scenarioAnchor } from "./section.ts";
import { STYLE } from "./style.ts";
import { type ShownVerdict, verdictsOf } from "./verdicts.ts";

/** The whole page, as text. */
export function renderHtml(report: LabReport): string {
  const { markup } = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Forebay lab report</title>
<style>${raw(STYLE)}</style>
</head>
<body>
<main>
${header(report)}
${summary(report)}
${surroundings(report)}
${report.scenarios.map(renderScenario)}
${footer()}
</main>
</body>
</html>
`;
  return markup;
}

function header(report: LabReport): Markup {
  const day = report.startedAt.replace("T", " ").replace(/\..*$/, " UTC");
  const took = `${report.isQuick ? "quick run, " : ""}${duration(report.durationMs)}`;
  return html`<header>
<h1>Forebay lab report</h1>
<p class="soft">${day} · ${report.server.description} · ${took}</p>
${
  report.partial
    ? html`<p class="alert">The run was stopped before its end. What is marked unfinished was not
judged.</p>`
    : undefined
}
<p>Each scenario of the pool tuning guide, before and after, on a real server. Two questions are
answered for each: does the claim hold here, and does Forebay do its part?</p>
${
  report.query === undefined
    ? undefined
    : html`<p>With this statement in place of the scenarios' own:</p>
<pre class="statement"><code>${report.query}</code></pre>`
}
</header>`;
}

/** How many, and then each with its verdicts: what one wants to see first. */
function summary(report: LabReport): Markup {
  const { claims, forebay, skipped, unfinished, notBegun } = report.summary;
  const rest = skipped + unfinished + notBegun === 0 ? undefined : { skipped, unfinished };
  return html`<dl class="tally">
${countsOf("Claims", claims)}
${countsOf("Forebay", forebay)}
${rest === undefined ? undefined : countsOf("Not judged", rest)}
</dl>
${notBegun === 0 ? undefined : html`<p class="soft">Not begun: ${notBegun}.</p>`}
<table class="stacked summary"><thead><tr><th>Scenario</th><th>The claim</th>
<th>Forebay</th><th>Measured</th></tr></thead>
<tbody>${report.scenarios.map(summaryRow)}</tbody></table>`;
}

function countsOf(name: string, counts: Readonly<Partial<Record<ShownVerdict, number>>>): Markup {
  const entries = Object.entries(counts) as [ShownVerdict, number][];
  const shown = entries.map(([verdict, count]) => {
    const kind = count === 0 ? "none" : verdict;
    return html`<span class="pill ${kind}">${`${count} ${COUNTED[verdict]}`}</span>`;
  });
  return html`<div><dt>${name}</dt><dd>${shown}</dd></div>`;
}

const COUNTED: Readonly<Record<ShownVerdict, string>> = {
  holds: "held",
  refuted: "refuted",
  pass: "passed",
  fail: "failed",
  inconclusive: "inconclusive",
  skipped: "skipped",
  unfinished: "unfinished",
};

function summaryRow(scenario: ScenarioReport): Markup {
  const [claim, forebay] = verdictsOf(scenario);
  return html`<tr><td class="title"><a href="#${scenarioAnchor(scenario)}">${scenario.id}.
${scenario.title}</a></td><td data-label="The claim">${pill(claim)}</td>
<td data-label="Forebay">${pill(forebay)}</td><td>${scenario.headline}</td></tr>`;
}

function surroundings(report: LabReport): Markup {
  const { calibration, machine, server } = report;
  const gigabytes = machine.memoryBytes / 2 ** 30;
  const security = [
    server.isTls ? "TLS" : "no TLS",
    server.authentication === "" ? undefined : server.authentication,
  ].filter((part) => part !== undefined);
  const facts: (readonly [string, Part])[] = [
    ["Machine", `${figure(machine.cores)} × ${machine.cpu}, ${figure(gigabytes)} GiB`],
    [
      "Processors",
      machine.pinned === undefined
        ? undefined
        : `event loop on ${machine.pinned.self}, servers on ${machine.pinned.programs.join(", ")}`,
    ],
    ["System", `${machine.os}, Node ${machine.node}`],
    [
      "Load average before",
      machine.loadAverage === undefined ? undefined : figure(machine.loadAverage),
    ],
    [
      "Server",
      server.description.includes(server.version)
        ? server.description
        : `PostgreSQL ${server.version}, ${server.description}`,
    ],
    ["Connections", `${security.join(", ")}; max_connections ${figure(server.maxConnections)}`],
    ["Commits", server.isDurable ? "wait for the disk" : "do not wait for the disk"],
  ];
  if (calibration !== undefined) {
    facts.push(
      [
        "A query, one caller",
        `p50 ${duration(calibration.queryP50Ms)}, p99 ${duration(calibration.queryP99Ms)}`,
      ],
      [
        "A new connection",
        `p50 ${duration(calibration.connectP50Ms)}, p99 ${duration(calibration.connectP99Ms)}: ` +
          `${figure(calibration.connectP50Ms / calibration.queryP50Ms)} queries`,
      ],
      ["A committed insert", `p50 ${duration(calibration.commitP50Ms)}`],
      ["Timers late by", `p99 ${duration(calibration.timerLateP99Ms)}`],
      ["Two identical arms (A/A)", `${withInterval(calibration.sameArmRatio)} times`],
    );
  }
  const shown = facts.filter(([, value]) => value !== undefined);
  return html`<h3>Where it was measured</h3>
<dl class="facts">${shown.map(factItem)}</dl>
<p class="soft">${server.budgetNote} Client and server shared the machine's processors unless the
server is elsewhere: compare within this report only.</p>`;
}

function factItem([name, value]: readonly [string, Part]): Markup {
  return html`<div><dt>${name}</dt><dd>${value}</dd></div>`;
}

function footer(): Markup {
  return html`<p class="soft">A check passes, or fails, only when its whole 95 % interval lies on
one side of the threshold; otherwise it is inconclusive. Intervals are bootstrapped over turns that
alternate A B B A. Latency of open loads counts from when a request was due, not from when it was
sent. Checks whose interval comes close to the threshold are left undecided when the machine was too
busy, or when two identical arms differed by more than a tenth.</p>`;
}

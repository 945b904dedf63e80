// A simulation as one page that needs nothing else.

import { html, type Markup, raw } from "../report/escape.ts";
import { STYLE } from "../report/style.ts";
import { renderPlot } from "../report/svg.ts";
import { duration, figure } from "../lab/words.ts";
import { type Comparison, TOLERANCE_RATIO } from "./check.ts";
import { unitText } from "./print.ts";
import { outcome, plotsOf, type SimulationFindings } from "./print-simulation.ts";

/** The whole page, as text. */
export function renderSimulationPage(findings: SimulationFindings): string {
  const { simulation, workload, comparisons, load } = findings;
  const { plan } = simulation;
  const facts: (readonly [string, string])[] = [
    ["Connections", figure(plan.connections)],
    ["Requests", `${figure(plan.ratePerS)} a second, ${figure(simulation.requests)} in all`],
    ["Held for", `p50 ${duration(workload.p50Ms)}, p99 ${duration(workload.p99Ms)}`],
    ["In use, if there were enough", `${figure(load)} on average`],
    ["Virtual time", `${duration(plan.durationMs)}, seed ${plan.seed}`],
  ];
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Forebay simulation</title>
<style>${raw(STYLE)}</style>
</head>
<body>
<main>
<h1>Forebay simulation</h1>
<p>${outcome(findings)}</p>
<dl class="facts">${facts.map(([name, text]) => html`<div><dt>${name}</dt><dd>${text}</dd></div>`)}
</dl>
<section class="scenario">
<h2>The run</h2>
<div class="plots">${plotsOf(findings).map(renderPlot)}</div>
<h2>Theory and simulation</h2>
<table class="stacked"><thead><tr><th>What</th><th>Predicted</th><th>Simulated (95 % interval)</th>
<th></th></tr></thead><tbody>${comparisons.map(comparisonRow)}</tbody></table>
<p class="soft">They agree where the interval comes within ${figure(TOLERANCE_RATIO * 100)} % of the
prediction. The pool is Forebay's own, on a virtual clock, with connections that do nothing.</p>
</section>
</main>
</body>
</html>
`.markup;
}

function comparisonRow(one: Comparison): Markup {
  const { value, low, high } = one.simulated;
  const interval = low === high ? "" : ` (${unitText(low, one)} to ${unitText(high, one)})`;
  return html`<tr><td>${one.what}</td>
<td class="number" data-label="Predicted">${unitText(one.predicted, one)}</td>
<td class="number" data-label="Simulated">${unitText(value, one)}${interval}</td>
<td>${one.agrees ? "✓ agrees" : "✗ apart"}</td></tr>`;
}

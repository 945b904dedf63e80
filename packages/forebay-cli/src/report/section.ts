// One scenario of the report.

import { type Check, outcomeOf, type ScenarioReport } from "../lab/index.ts";
import { duration, figure, percent } from "../lab/words.ts";
import { html, type Markup } from "./escape.ts";
import { measureName, measureValue } from "./names.ts";
import { renderPlot } from "./svg.ts";
import { howToInstall, type ShownVerdict, VERDICT_WORDS, verdictsOf } from "./verdicts.ts";

/** Scenarios up to this number are the guide's; the others are what it lacks. */
const GUIDE_LAST = 16;

/** A verdict in words, coloured. */
export function pill(verdict: ShownVerdict): Markup {
  return html`<span class="pill ${verdict}">${VERDICT_WORDS[verdict]}</span>`;
}

/** The name under which a scenario is linked to within the page. */
export function scenarioAnchor(scenario: ScenarioReport): string {
  return `scenario-${scenario.id}`;
}

/** A scenario with all that was found. */
export function renderScenario(scenario: ScenarioReport): Markup {
  if (outcomeOf(scenario) !== "judged") return notJudged(scenario);
  return html`<section class="scenario" id="${scenarioAnchor(scenario)}">
<h2>${scenario.id}. ${scenario.title}</h2>
<p class="lead">${scenario.headline}</p>
${warnings(scenario)}
${claimPart(scenario)}
<h3>The pictures</h3>
<div class="plots">${scenario.plots.map(renderPlot)}</div>
${forebayPart(scenario)}
${advicePart(scenario)}
${predictionPart(scenario)}
<h3>How it was measured</h3>
<p>${scenario.experiment}</p>
${armsPart(scenario)}
<ul class="caveats">${scenario.caveats.map((caveat) => html`<li>${caveat}</li>`)}</ul>
${conditionsLine(scenario)}
</section>`;
}

function notJudged(scenario: ScenarioReport): Markup {
  const install = howToInstall(scenario);
  return html`<section class="scenario" id="${scenarioAnchor(scenario)}">
<h2>${scenario.id}. ${scenario.title}</h2>
<p>${pill(verdictsOf(scenario)[0])} Not judged: ${scenario.headline}</p>
${install === "" ? undefined : html`<p class="soft">${install}</p>`}
</section>`;
}

function warnings(scenario: ScenarioReport): Markup | undefined {
  const { warnings } = scenario.conditions;
  if (warnings.length === 0) return undefined;
  const all = warnings.join(" Also, ");
  return html`<p class="alert">Close comparisons are left undecided: ${all}</p>`;
}

function claimPart(scenario: ScenarioReport): Markup {
  const { claim } = scenario;
  const rows = claim.parts.map(
    (part) => html`<tr><td>${pill(part.verdict)}</td><td data-label="Claim">${part.text}</td>
<td data-label="Measured">${part.measured}</td></tr>`,
  );
  const whose = scenario.id <= GUIDE_LAST ? "What the guide says" : "What is claimed";
  return html`<h3>${whose} ${pill(claim.verdict)}</h3>
<p>“${claim.text}”</p>
<p>${claim.why}</p>
<table class="stacked"><thead><tr><th></th><th>Claim</th><th>Measured</th></tr></thead>
<tbody>${rows}</tbody></table>`;
}

function forebayPart(scenario: ScenarioReport): Markup {
  const { forebay } = scenario;
  return html`<h3>What Forebay does ${pill(forebay.verdict)}</h3>
<p>${forebay.why}</p>
<table class="stacked">
<thead><tr><th></th><th>Check</th><th>Value (95 % interval)</th><th>Threshold</th></tr></thead>
<tbody>${forebay.checks.map(checkRow)}</tbody></table>`;
}

function checkRow(check: Check): Markup {
  const interval =
    check.low === undefined || check.high === undefined
      ? ""
      : ` (${figure(check.low)} to ${figure(check.high)})`;
  const unit = check.unit === undefined ? "" : ` ${check.unit}`;
  return html`<tr><td>${pill(check.verdict)}</td><td>${check.name}${
    check.note === undefined ? undefined : html`<span class="note">${check.note}</span>`
  }</td><td class="number" data-label="Value">${figure(check.value)}${unit}${interval}</td>
<td class="number" data-label="Threshold">${check.threshold}</td></tr>`;
}

function advicePart(scenario: ScenarioReport): Markup {
  const { code, when, notWhen } = scenario.whatToSet;
  return html`<h3>What to set, and when not to</h3>
<pre><code>${code}</code></pre>
<p>${when}</p>
<p><strong>Not:</strong> ${notWhen}</p>`;
}

function predictionPart(scenario: ScenarioReport): Markup {
  const rows = scenario.predictions.map(
    (one) => html`<tr><td>${one.what}<span class="note">${one.theory}</span></td>
<td class="number" data-label="Predicted">${figure(one.predicted)} ${one.unit}</td>
<td class="number" data-label="Measured">${figure(one.measured)} ${one.unit}</td></tr>`,
  );
  return html`<h3>Theory and measurement</h3>
<table class="stacked"><thead><tr><th>What</th><th>Predicted</th><th>Measured</th></tr></thead>
<tbody>${rows}</tbody></table>`;
}

type Arm = ScenarioReport["arms"][number];

/** Arms that have the same measures share a table. */
function armsPart(scenario: ScenarioReport): Markup {
  const groups = new Map<string, Arm[]>();
  for (const arm of scenario.arms) {
    const plain = Object.keys(arm.measures).filter((key) => !key.startsWith("failed "));
    const keys = plain.join();
    groups.set(keys, [...(groups.get(keys) ?? []), arm]);
  }
  const tables = [...groups.values()].map(armTable);
  return html`<details>
<summary>All ${scenario.arms.length} arms, with settings and measures</summary>
${tables}</details>`;
}

function armTable(arms: readonly Arm[]): Markup {
  const keys = [...new Set(arms.flatMap((arm) => Object.keys(arm.measures)))];
  return html`<div class="scroll"><table class="wide"><thead><tr><th>Arm</th>${keys.map(
    (key) => html`<th class="number">${measureName(key)}</th>`,
  )}</tr></thead><tbody>${arms.map((arm) => armRow(arm, keys))}</tbody></table></div>`;
}

function armRow(arm: Arm, keys: readonly string[]): Markup {
  const settings = Object.entries(arm.settings).map(
    ([key, value]) => `${key} ${typeof value === "number" ? figure(value) : value}`,
  );
  const cells = keys.map((key) => {
    const value = arm.measures[key];
    return html`<td class="number">${value === undefined ? "" : measureValue(key, value)}</td>`;
  });
  const note = arm.note === undefined ? "" : ` ${arm.note}`;
  return html`<tr><td>${arm.name}<span class="note">${arm.role}; ${settings.join(
    ", ",
  )}.${note}</span></td>${cells}</tr>`;
}

function conditionsLine(scenario: ScenarioReport): Markup {
  const { conditions } = scenario;
  const busy = conditions.eventLoopUtilisationRatio;
  const late = conditions.eventLoopDelayP99Ms;
  const said = [
    `Took ${duration(scenario.durationMs)}.`,
    busy === undefined || late === undefined
      ? "All arms drive this process to its limit by intent, so its event loop is not judged."
      : `In the arms that count, the event loop was busy at most ${percent(busy)} of the time, ` +
        `and late by p99 ${duration(late)}.`,
  ];
  if (conditions.othersRatio !== undefined) {
    said.push(`Other programs took ${percent(conditions.othersRatio)} of the CPU time.`);
  }
  if (conditions.stealRatio !== undefined) {
    said.push(`The host gave ${percent(conditions.stealRatio)} of it to others.`);
  }
  if (conditions.roundsTakenAgain > 0) {
    const again = figure(conditions.roundsTakenAgain);
    said.push(`Rounds taken again, since it gave processors to others meanwhile: ${again}.`);
  }
  return html`<p class="soft">${said.join(" ")}</p>`;
}

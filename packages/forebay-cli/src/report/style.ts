// The report's style sheet. No font, picture or script from elsewhere; light and dark by the
// reader's preference.

/** The style sheet, as text. */
export const STYLE: string = `
:root {
  color-scheme: light dark;
  --bg: #fbfaf7; --card: #ffffff; --text: #1d2329; --soft: #5a6570; --line: #dfe2e0;
  --code: #f1f2ee;
  --good: #1a7a45; --good-bg: #e0f2e6; --bad: #b3261e; --bad-bg: #fbe4e1;
  --odd: #8a5a00; --odd-bg: #fcefd2; --none: #4d5966; --none-bg: #e9ecee;
  --s1: #0b6e8f; --s2: #c2571a; --s3: #6a4fb3; --s4: #3e7d32;
  --s5: #a8326e; --s6: #6e6614;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --bg: #14181b; --card: #1c2226; --text: #e6e9ea; --soft: #9aa7b0; --line: #333c42;
    --code: #252d32;
    --good: #6fd39a; --good-bg: #163524; --bad: #ff9a8f; --bad-bg: #45201d;
    --odd: #f0c268; --odd-bg: #40310f; --none: #b4c0c8; --none-bg: #2d363c;
    --s1: #59c1e3; --s2: #f09a5e; --s3: #b49cf2; --s4: #8fcf7d;
    --s5: #f08bc0; --s6: #cfc56a;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0; background: var(--bg); color: var(--text);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
}
main { max-width: 62rem; margin: 0 auto; padding: 1.5rem 1.1rem 4rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .3rem; }
h2 { font-size: 1.35rem; line-height: 1.25; margin: 0 0 .6rem; }
h3 { font-size: 1.02rem; margin: 1.9rem 0 .5rem; }
h4 { font-size: .95rem; margin: 0 0 .4rem; }
p { margin: .4rem 0; max-width: 46rem; }
a { color: var(--s1); }
.soft, figcaption, .note { color: var(--soft); font-size: .88rem; }
.lead { font-size: 1.1rem; line-height: 1.45; max-width: 48rem; }
section.scenario {
  background: var(--card); border: 1px solid var(--line); border-radius: 10px;
  padding: 1.4rem 1.4rem 1.6rem; margin: 2rem 0;
}
.pill {
  display: inline-block; padding: .05rem .55rem; border-radius: 1rem; font-size: .85rem;
  font-weight: 600; white-space: nowrap;
}
.pill.pass, .pill.holds { color: var(--good); background: var(--good-bg); }
.pill.fail { color: var(--bad); background: var(--bad-bg); }
.pill.refuted { color: var(--odd); background: var(--odd-bg); }
.pill.skipped, .pill.unfinished { color: var(--odd); background: none;
  box-shadow: inset 0 0 0 1px currentColor; }
.pill.none { color: var(--soft); background: none; box-shadow: inset 0 0 0 1px var(--line); }
.pill.inconclusive { color: var(--none); background: var(--none-bg); }
dl.tally { display: flex; flex-wrap: wrap; gap: .6rem 2rem; margin: 1.2rem 0 .8rem; }
dl.tally dt { color: var(--soft); font-size: .82rem; margin-bottom: .2rem; }
dl.tally dd { margin: 0; display: flex; flex-wrap: wrap; gap: .3rem; }
table.summary { margin: .6rem 0 1.6rem; }
table.summary td.title { min-width: 12rem; font-weight: 600; }
table.summary a { text-decoration: none; }
table.summary a:hover { text-decoration: underline; }
dl.facts {
  display: grid; grid-template-columns: repeat(auto-fill, minmax(13rem, 1fr));
  gap: .7rem 1.4rem; margin: .6rem 0;
}
dl.facts div { min-width: 0; }
dl.facts dt { color: var(--soft); font-size: .82rem; }
dl.facts dd { margin: 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
.plots { display: grid;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 25rem), 1fr)); gap: 1.6rem;
  margin: .8rem 0; }
figure { margin: 0; min-width: 0; }
figure svg { display: block; width: 100%; max-width: 34rem; height: auto; }
figcaption { margin-top: .35rem; max-width: 34rem; }
svg text { font: 12px system-ui, sans-serif; fill: var(--soft); }
svg text.name, svg text.value { fill: var(--text); font-size: 13px; }
svg text.value { font-weight: 600; }
svg .grid { stroke: var(--line); stroke-width: 1; }
svg .stroke { fill: none; stroke-width: 2.4; stroke-linejoin: round; }
svg .dashed { stroke-dasharray: 6 4; }
svg .stroke.s1 { stroke: var(--s1); } svg .stroke.s2 { stroke: var(--s2); }
svg .stroke.s3 { stroke: var(--s3); } svg .stroke.s4 { stroke: var(--s4); }
svg .stroke.s5 { stroke: var(--s5); } svg .stroke.s6 { stroke: var(--s6); }
svg .dot.s1 { fill: var(--s1); } svg .dot.s2 { fill: var(--s2); }
svg .dot.s3 { fill: var(--s3); } svg .dot.s4 { fill: var(--s4); }
svg .dot.s5 { fill: var(--s5); } svg .dot.s6 { fill: var(--s6); }
svg .bar { fill: var(--s3); }
svg .bar.role-baseline { fill: var(--s2); } svg .bar.role-change { fill: var(--s1); }
svg .bar.role-negative-control { fill: var(--soft); }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: .15rem 1rem;
  margin: .2rem 0 0; padding: 0; font-size: .85rem; }
.legend li { display: flex; align-items: center; gap: .4rem; }
figure svg.key { width: 26px; height: 12px; flex: none; }
.scroll { overflow-x: auto; margin: .5rem 0; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; vertical-align: top; padding: .45rem .7rem .45rem 0;
  border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 600; font-size: .82rem; }
td.number { white-space: nowrap; font-variant-numeric: tabular-nums; }
table.wide { width: auto; }
table.wide td, table.wide th { white-space: nowrap; padding-right: 1.1rem; }
table.wide td.number, table.wide th.number { text-align: right; }
table.wide td:first-child { white-space: normal; min-width: 15rem; }
table.wide td:first-child, table.wide th:first-child {
  position: sticky; left: 0; background: var(--card);
}
td .note { display: block; margin-top: .15rem; }
pre {
  background: var(--code); border-radius: 8px; padding: .8rem 1rem; overflow-x: auto;
  margin: .5rem 0;
  font: .88rem/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace;
}
pre.statement { white-space: pre-wrap; overflow-wrap: anywhere; }
code { font: .9em ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
details { margin: .6rem 0; }
summary { cursor: pointer; font-weight: 600; }
.alert { background: var(--odd-bg); color: var(--odd); border-radius: 8px;
  padding: .6rem .9rem; margin: .8rem 0; }
ul.caveats { padding-left: 1.1rem; margin: .4rem 0; max-width: 48rem; }
ul.caveats li { margin: .3rem 0; }
@media (max-width: 40rem) {
  svg text { font-size: 15px; }
  svg text.name, svg text.value { font-size: 16px; }
  table.summary td.title { padding-bottom: .2rem; }
  main { padding: 1rem .8rem 3rem; }
  section.scenario { padding: 1rem .9rem 1.2rem; border-radius: 8px; }
  table.stacked thead { position: absolute; width: 1px; height: 1px; overflow: hidden;
  clip-path: inset(50%); }
  table.stacked tr { display: block; padding: .5rem 0; border-bottom: 1px solid var(--line); }
  table.stacked td { display: block; border: 0; padding: .1rem 0; white-space: normal; }
  table.stacked td[data-label]::before { content: attr(data-label) ": "; color: var(--soft); }
  table.wide td:first-child { min-width: 9.5rem; }
  dl.facts { grid-template-columns: repeat(2, minmax(0, 1fr)); gap: .6rem 1rem; }
}
@media print {
  :root { color-scheme: light; }
  body, section.scenario { background: #ffffff; }
  .pill, pre, .alert { print-color-adjust: exact; }
  h2, h3, h4 { break-after: avoid; }
  .scroll { overflow: visible; }
  section.scenario { break-inside: auto; border: 0; padding: 0; }
  figure, tr { break-inside: avoid; }
}
`;

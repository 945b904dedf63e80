import type { Findings, Judge, ScenarioContext } from "../scenario.ts";
import type { FailoverMeasured } from "./11-failover.ts";
export function describeFailover(_c: ScenarioContext, m: FailoverMeasured, _j: Judge): Findings {
  for (const r of m.runs) {
    const { arm, response, ...rest } = r;
    console.log(
      JSON.stringify(rest),
      "p50",
      response.percentileMs(50).toFixed(1),
      "p99",
      response.percentileMs(99).toFixed(1),
      "max",
      response.maxMs.toFixed(1),
    );
  }
  console.log(m.readOnly, m.audit, m.writeFailures);
  return {
    headline: "h",
    experiment: "",
    claim: { text: "", verdict: "holds", why: "", parts: [] },
    forebay: { verdict: "pass", why: "", checks: [] },
    predictions: [],
    arms: [],
    plots: [],
    whatToSet: { code: "", when: "", notWhen: "" },
    caveats: [],
  };
}

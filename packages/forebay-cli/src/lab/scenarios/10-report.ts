// Scenario 10, arms and plots as the report shows them.

import { barPlot, latencyPlot } from "../plot.ts";
import { totalOf } from "../routes.ts";
import type { Arm, ArmRole, Plot } from "../scenario.ts";
import { duration } from "../words.ts";
import type { ReportsArm, ReportsPlan, ReportsTurn } from "./10-arms.ts";
import type { ReportsArmFigures, ReportsFigures } from "./10-findings.ts";
import type { ReportsMeasured } from "./10-report-starvation.ts";

const SHOWN: Readonly<Record<ReportsArm, { readonly name: string; readonly role: ArmRole }>> = {
  alone: { name: "application alone", role: "variant" },
  few: { name: "few reports, same pool", role: "negative control" },
  shared: { name: "many reports, same pool", role: "baseline" },
  split: { name: "many reports, a pool of their own", role: "change" },
  bulkhead: { name: "many reports, bulkhead", role: "change" },
  scanShared: { name: "reports that read, same pool", role: "baseline" },
  scanSplit: { name: "reports that read, a pool of their own", role: "change" },
  indexShared: { name: "reports that read, with the index, same pool", role: "change" },
};

/** All arms with their settings and measures. */
export function armsOfReports(measured: ReportsMeasured, figures: ReportsFigures): Arm[] {
  const { plan } = measured;
  return [...measured.arms].map(([arm, turns]) => ({
    ...SHOWN[arm],
    settings: settingsOf(plan, arm),
    measures: measuresOf(turns, figuresOf(figures, arm)),
  }));
}

function settingsOf(plan: ReportsPlan, arm: ReportsArm): Record<string, number> {
  const maxOpenConns = plan.connections;
  const reports = arm === "few" ? plan.fewReports : plan.manyReports;
  if (arm === "alone") return { maxOpenConns };
  if (arm === "bulkhead") return { maxOpenConns, reports, maxInUse: plan.reportConnections };
  return arm === "split" || arm === "scanSplit"
    ? { maxOpenConns, reports, maxOpenConnsOfReports: plan.reportConnections }
    : { maxOpenConns, reports };
}

function figuresOf(figures: ReportsFigures, arm: ReportsArm): ReportsArmFigures | undefined {
  if (arm === "scanShared" || arm === "scanSplit" || arm === "indexShared") {
    return figures.reading?.[arm];
  }
  return figures[arm];
}

function measuresOf(
  turns: readonly ReportsTurn[],
  figures: ReportsArmFigures | undefined,
): Record<string, number> {
  const requests = totalOf(turns.map((turn) => turn.routes.requests));
  const reports = totalOf(turns.map((turn) => turn.routes.reports));
  return {
    requests: requests.done,
    p50Ms: requests.response.percentileMs(50),
    p99Ms: requests.response.percentileMs(99),
    maxMs: requests.response.maxMs,
    waitedRatio: figures?.requests.waitedRatio ?? 0,
    reportsDone: reports.done,
    reportsCalledOff: reports.cut,
    reportMeanMs: reports.response.meanMs,
    reportsInUseMost: figures?.reportsInUseMost ?? 0,
    eventLoopUtilisationRatio: Math.max(...turns.map((turn) => turn.utilisationRatio)),
  };
}

/** The plots of scenario 10. */
export function plotsOfReports(plan: ReportsPlan, figures: ReportsFigures): Plot[] {
  const p99 = (arm: ReportsArmFigures): string => duration(arm.requests.p99.value);
  const { alone, few, shared, split, bulkhead, reading } = figures;
  const curve = (arm: ReportsArm, style: "line" | "dashes" = "line") => ({
    name: SHOWN[arm].name,
    response: (figuresOf(figures, arm) ?? alone).requests.response,
    style,
  });
  const plots: Plot[] = [
    latencyPlot(
      "Latency of the application's requests while reports sleep",
      `p99 ${p99(shared)} with ${plan.manyReports} reports on the same pool, ${p99(bulkhead)} ` +
        `with a bulkhead, ${p99(split)} with two pools, ${p99(few)} with ${plan.fewReports} ` +
        `reports and no remedy, ${p99(alone)} alone.`,
      [curve("alone", "dashes"), curve("few"), curve("shared"), curve("split"), curve("bulkhead")],
    ),
  ];
  if (reading !== undefined) {
    plots.push(
      latencyPlot(
        "Latency of the application's requests while reports read",
        `p99 ${p99(reading.scanShared)} on the same pool, ${p99(reading.scanSplit)} with two ` +
          `pools, ${p99(reading.indexShared)} on the same pool with the index, ${p99(alone)} ` +
          "alone.",
        [curve("alone", "dashes"), curve("scanShared"), curve("scanSplit"), curve("indexShared")],
      ),
    );
  }
  plots.push(
    barPlot(
      "One report by itself",
      `${duration(figures.scanMs)} without the index, ${duration(figures.indexMs)} with it.`,
      { label: "ms", scale: "log" },
      [
        { name: "without the index", value: figures.scanMs, role: "baseline" },
        { name: "with the index", value: figures.indexMs, role: "change" },
      ],
      duration,
    ),
  );
  return plots;
}

// The findings for programs: what `--json` writes.

import type { Bench, Finding } from "./bench.ts";
import type { Spread } from "./spread.ts";
import { targetText } from "./table.ts";

/** What one benchmark found. */
export interface BenchReport {
  readonly id: string;
  readonly title: string;
  /** By `what: ours / other`. Ours through the other's, round by round. */
  readonly ratios: Readonly<Record<string, Spread>>;
  /** By `what: who`. */
  readonly figures: Readonly<Record<string, Spread & { readonly unit: string }>>;
  /** By the name of the ratio or figure that it is for, such as `<= 0.5`. */
  readonly targets: Readonly<Record<string, string>>;
  /** The names of those targets that were missed. */
  readonly missed: readonly string[];
  /** Whether all targets were met. */
  readonly met: boolean;
}

/** Puts the findings of one benchmark in order. */
export function reportOf({ id, title }: Bench, findings: readonly Finding[]): BenchReport {
  const ratios: Record<string, Spread> = {};
  const figures: Record<string, Spread & { unit: string }> = {};
  const targets: Record<string, string> = {};
  const missed: string[] = [];
  for (const finding of findings) {
    const { what, unit, ours, other, target } = finding;
    const figureName = `${what}: ${ours}`;
    const name = other === undefined ? figureName : `${figureName} / ${other}`;
    figures[figureName] = { ...finding.oursFigure, unit };
    if (other !== undefined && finding.otherFigure !== undefined) {
      figures[`${what}: ${other}`] = { ...finding.otherFigure, unit };
    }
    if (finding.ratio !== undefined) ratios[name] = finding.ratio;
    if (target === undefined) continue;
    targets[name] = targetText(target);
    if (finding.isMet === false) missed.push(name);
  }
  return { id, title, ratios, figures, targets, missed, met: missed.length === 0 };
}

// The findings for programs: what `--json` writes.

import type { Bench, Finding } from "./bench.ts";
import type { Spread } from "./spread.ts";
import { targetText } from "./table.ts";

/** What one benchmark found. */
export interface BenchReport {
  readonly id: string;
  readonly title: string;
  /** By the comparison's key: ours through the other's, the median of the rounds' own ratios. */
  readonly ratios: Readonly<Record<string, number>>;
  /** By the key of the ratio, or of the figure that stands alone: such as `>= 0.85`. */
  readonly targets: Readonly<Record<string, string>>;
  /** Whether all targets were measured and met. */
  readonly met: boolean;
  /** The keys of those targets that were missed. */
  readonly missed: readonly string[];
  /** By key, why the other was not measured. */
  readonly leftOut: Readonly<Record<string, string>>;
  /** By key: how far the rounds' ratios lie apart. */
  readonly spreads: Readonly<Record<string, Spread>>;
  /** By `what: who`; figures that stand alone and have a key of their own, by that key too. */
  readonly figures: Readonly<Record<string, Spread & { readonly unit: string }>>;
}

/** What a run of benchmarks found. */
export interface RunReport {
  readonly machine: object;
  /** What comes of `quick` is not to be quoted. */
  readonly effort: "full" | "quick";
  readonly benches: readonly BenchReport[];
}

/**
 * Puts the findings of one benchmark in order. Throws where two of them have the same key: one
 * would hide the other.
 */
export function reportOf({ id, title }: Pick<Bench, "id" | "title">, findings: readonly Finding[]) {
  const keys = findings.map(({ key }) => key);
  const twice = keys.find((key, place) => keys.indexOf(key) !== place);
  if (twice !== undefined) throw new Error(`${id} has two findings with the key ${twice}`);
  const missed = findings.filter(({ isMet }) => isMet === false).map(({ key }) => key);
  const open = findings.filter(({ target, leftOut }) => target !== undefined && leftOut);
  return {
    id,
    title,
    ratios: byKey(findings, ({ ratio }) => ratio?.median),
    targets: byKey(findings, ({ target }) => target && targetText(target)),
    met: missed.length === 0 && open.length === 0,
    missed,
    leftOut: byKey(findings, ({ leftOut }) => leftOut),
    spreads: byKey(findings, ({ ratio }) => ratio),
    figures: figuresOf(findings),
  } satisfies BenchReport;
}

function byKey<T>(
  findings: readonly Finding[],
  pick: (finding: Finding) => T | undefined,
): Record<string, T> {
  return Object.fromEntries(
    findings.flatMap((finding) => {
      const value = pick(finding);
      return value === undefined ? [] : [[finding.key, value]];
    }),
  );
}

function figuresOf(findings: readonly Finding[]): BenchReport["figures"] {
  const figures: Record<string, Spread & { unit: string }> = {};
  for (const { what, key, unit, ours, oursFigure, other, otherFigure } of findings) {
    figures[`${what}: ${ours}`] = { ...oursFigure, unit };
    if (other === undefined) figures[key] = { ...oursFigure, unit };
    if (otherFigure !== undefined) figures[`${what}: ${other}`] = { ...otherFigure, unit };
  }
  return figures;
}

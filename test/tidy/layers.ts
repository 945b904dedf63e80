// The layers of the library: the one place that says which folder may import which. ARCHITECTURE.md
// shows the same table, and rule T1 compares them.

/** One folder of packages/forebay/src, or `index.ts` for the main entry point. */
export interface Layer {
  readonly folder: string;
  readonly mayImport: readonly string[];
  /** Folders of which only types may be imported: nothing of them is loaded. */
  readonly mayImportTypes?: readonly string[];
}

/**
 * A file belongs to the row with the longest folder that holds it. Nothing imports `testing`, and
 * nobody may.
 */
export const LAYERS: readonly Layer[] = [
  { folder: "base", mayImport: [] },
  { folder: "driver", mayImport: ["base"] },
  { folder: "pool", mayImport: ["base", "driver"] },
  { folder: "sql", mayImport: ["base", "driver", "pool"] },
  { folder: "postgres/wire", mayImport: ["base", "driver"] },
  { folder: "postgres", mayImport: ["base", "driver", "postgres/wire", "pool", "sql"] },
  { folder: "adapters", mayImport: ["base", "driver"] },
  { folder: "observe", mayImport: ["base"], mayImportTypes: ["pool"] },
  { folder: "advisor", mayImport: ["base"], mayImportTypes: ["observe"] },
  { folder: "testing", mayImport: ["base", "driver"] },
  { folder: "compat", mayImport: ["base", "pool", "sql"] },
  { folder: "index.ts", mayImport: ["base", "driver", "pool", "sql", "observe"] },
];

/** The files of `base` that may import node's own modules. */
export const BASE_BUILT_INS: readonly string[] = ["base/clock.ts", "base/random.ts"];

/** The cell of a row's second column, as ARCHITECTURE.md is to show it. */
export function cellOf(layer: Layer): string {
  const names = [
    ...layer.mayImport,
    ...(layer.mayImportTypes ?? []).map((name) => `${name} (types)`),
  ];
  return names.length === 0 ? "–" : names.join(", ");
}

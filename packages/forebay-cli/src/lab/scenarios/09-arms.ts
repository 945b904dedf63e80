// Scenario 9, the ways of inserting rows. Each takes a number of rows and inserts them; what is
// timed is in 09-batch-insert.ts.

import { copyFrom } from "forebay/postgres";
import type { LabDb } from "../pools.ts";
import type { ArmRole } from "../scenario.ts";

/** The shape of a table: how many columns of which type, and the value of each. */
export interface TableShape {
  readonly table: string;
  readonly columns: readonly string[];
  readonly type: "int" | "text";
  value(row: number, column: number): number | string;
}

/** Two whole numbers a row: the guide's table. */
export function narrowTable(schema: string): TableShape {
  return {
    table: `${schema}.batch_narrow`,
    columns: ["a", "b"],
    type: "int",
    value: (row, column) => (column === 0 ? row : (row * 7919) % 1_000_003),
  };
}

/** Twenty short texts a row. */
export function wideTable(schema: string): TableShape {
  return {
    table: `${schema}.batch_wide`,
    columns: Array.from({ length: 20 }, (_, column) => `c${column + 1}`),
    type: "text",
    value: (row, column) => `row ${row}, column ${column + 1}`,
  };
}

/** One way of inserting. */
export interface InsertWay {
  readonly name: string;
  readonly role: ArmRole;
  /**
   * The most rows that a turn inserts, a third of that when quick; the time is extrapolated to all.
   * `Infinity` for all.
   */
  readonly rowsMax: number;
  readonly settings: Readonly<Record<string, string | number>>;
  insert(db: LabDb, shape: TableShape, rows: number, signal: AbortSignal): Promise<void>;
}

/** The most parameters that a statement can have: the protocol counts them in 16 bits. */
export const PARAMETERS_MAX = 65_535;

/** A statement for each row, each committed by itself: what the guide starts from. */
export const loopWay: InsertWay = {
  name: "one by one",
  role: "baseline",
  rowsMax: 1000,
  settings: { rowsPerStatement: 1, rowsPerCommit: 1 },
  insert: (db, shape, rows, signal) =>
    db.withConn(async (conn) => {
      const sql = oneRowSql(shape);
      for (let row = 0; row < rows; row++) await conn.exec(sql, rowOf(shape, row), { signal });
    }),
};

/** A statement for each row, one transaction for all. */
export const transactionWay: InsertWay = {
  name: "one by one in a transaction",
  role: "variant",
  rowsMax: 3000,
  settings: { rowsPerStatement: 1, rowsPerCommit: "all" },
  insert: (db, shape, rows, signal) =>
    db.transaction(
      async (tx) => {
        const sql = oneRowSql(shape);
        for (let row = 0; row < rows; row++) await tx.exec(sql, rowOf(shape, row), { signal });
      },
      { signal },
    ),
};

/**
 * The guide's fast way: many rows in one statement, each value a parameter. Its text is built for
 * each, as there.
 */
export function valuesWay(rowsPerStatement: number): InsertWay {
  return {
    name: `VALUES, ${rowsPerStatement.toLocaleString("en-US")} rows`,
    role: "change",
    rowsMax: Infinity,
    settings: { rowsPerStatement, rowsPerCommit: rowsPerStatement },
    insert: async (db, shape, rows, signal) => {
      for (let from = 0; from < rows; from += rowsPerStatement) {
        const to = Math.min(from + rowsPerStatement, rows);
        const args: (number | string)[] = [];
        const tuples: string[] = [];
        for (let row = from; row < to; row++) {
          const at = args.length;
          args.push(...rowOf(shape, row));
          tuples.push(`(${shape.columns.map((_, column) => `$${at + column + 1}`).join(", ")})`);
        }
        const columns = shape.columns.join(", ");
        const sql = `INSERT INTO ${shape.table} (${columns}) VALUES ${tuples.join(", ")}`;
        await db.exec(sql, args, { signal });
      }
    },
  };
}

/**
 * Many rows in one statement, each column an array: one text and one parameter a column, whatever
 * the number of rows.
 */
export function unnestWay(rowsPerStatement: number): InsertWay {
  return {
    name: `unnest, ${rowsPerStatement.toLocaleString("en-US")} rows`,
    role: "variant",
    rowsMax: Infinity,
    settings: { rowsPerStatement, rowsPerCommit: rowsPerStatement },
    insert: async (db, shape, rows, signal) => {
      const arrays = shape.columns.map((_, column) => `$${column + 1}::${shape.type}[]`);
      const sql =
        `INSERT INTO ${shape.table} (${shape.columns.join(", ")}) SELECT * FROM ` +
        `unnest(${arrays.join(", ")})`;
      for (let from = 0; from < rows; from += rowsPerStatement) {
        const length = Math.min(rowsPerStatement, rows - from);
        const args = shape.columns.map((_, column) =>
          Array.from({ length }, (_, row) => shape.value(from + row, column)),
        );
        await db.exec(sql, args, { signal });
      }
    },
  };
}

/** COPY in text format. */
export const copyWay: InsertWay = {
  name: "COPY",
  role: "change",
  rowsMax: Infinity,
  settings: { rowsPerStatement: "all", rowsPerCommit: "all" },
  insert: (db, shape, rows, signal) => copyLines(db, shape, copyChunks(shape, rows), signal),
};

/** Copies text-format chunks into a table. */
export async function copyLines(
  db: LabDb,
  shape: TableShape,
  chunks: Iterable<string>,
  signal: AbortSignal,
): Promise<void> {
  const sql = `COPY ${shape.table} (${shape.columns.join(", ")}) FROM STDIN`;
  await db.withConn((conn) => conn.raw((driver) => copyFrom(driver, sql, chunks, { signal })));
}

const CHUNK_ROWS = 500;

/**
 * The rows of a table as COPY's text format, some hundred at a time. The values hold nothing that
 * needs an escape.
 */
export function* copyChunks(shape: TableShape, rows: number): Generator<string> {
  for (let from = 0; from < rows; from += CHUNK_ROWS) {
    const to = Math.min(from + CHUNK_ROWS, rows);
    let chunk = "";
    for (let row = from; row < to; row++) {
      for (const column of shape.columns.keys()) {
        chunk += `${column === 0 ? "" : "\t"}${shape.value(row, column)}`;
      }
      chunk += "\n";
    }
    yield chunk;
  }
}

function rowOf(shape: TableShape, row: number): (number | string)[] {
  return shape.columns.map((_, column) => shape.value(row, column));
}

function oneRowSql(shape: TableShape): string {
  const places = shape.columns.map((_, column) => `$${column + 1}`).join(", ");
  return `INSERT INTO ${shape.table} (${shape.columns.join(", ")}) VALUES (${places})`;
}

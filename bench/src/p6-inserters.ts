// The clients of P6, each behind one function that inserts rows, all in one transaction.

import { openDB } from "forebay";
import { insertMany, insertValues, postgres as forebayPostgres } from "forebay/postgres";
import pg from "pg";
import type { Access } from "./accounts.ts";
import { rowsTo } from "./p5-copiers.ts";

/** A client to be measured. */
export interface Inserter {
  run(sql: string): Promise<void>;
  /** Inserts the rows into the table `inserted`. */
  insert(): Promise<void>;
  close(): Promise<void>;
}

/** The clients by name. */
export type InserterName =
  | "insertMany"
  | "insertValues"
  | "pg unnest by 1000"
  | "pg unnest by 10000"
  | "pg VALUES by 1000";

/** Ours first. */
export const INSERTERS: readonly InserterName[] = [
  "insertMany",
  "insertValues",
  "pg unnest by 1000",
  "pg unnest by 10000",
  "pg VALUES by 1000",
];

const UNNEST = "INSERT INTO inserted (id, name) SELECT * FROM unnest($1::int[], $2::text[])";
const TARGET = { table: "inserted", columns: ["id", "name"] };

/** Opens a client with one connection. */
export async function openInserter(
  name: InserterName,
  access: Access,
  rowCount: number,
): Promise<Inserter> {
  const rows = rowsTo(rowCount);
  switch (name) {
    case "insertMany":
    case "insertValues":
      return forebay(access, rows, name === "insertMany" ? insertMany : insertValues);
    case "pg unnest by 1000":
      return await nodePostgres(access, rows, 1000, unnest);
    case "pg unnest by 10000":
      return await nodePostgres(access, rows, 10_000, unnest);
    case "pg VALUES by 1000":
      return await nodePostgres(access, rows, 1000, values);
    default:
      return name satisfies never;
  }
}

function forebay(access: Access, rows: Rows, insert: typeof insertValues): Inserter {
  const { host, port, user, password, database } = access;
  const connector = forebayPostgres({ host, port, user, password, database, sslMode: "disable" });
  const db = openDB(connector, { maxOpenConns: 1 });
  return {
    run: async (sql) => void (await db.exec(sql)),
    insert: async () => void (await insert(db, TARGET, rows)),
    close: () => db.close(),
  };
}

type Rows = readonly (readonly [number, string])[];

async function nodePostgres(
  access: Access,
  rows: Rows,
  rowsAtOnce: number,
  insert: (client: pg.Client, rows: Rows) => Promise<unknown>,
): Promise<Inserter> {
  const { host, port, user, password, database } = access;
  const client = new pg.Client({ host, port, user, password, database });
  await client.connect();
  return {
    run: async (sql) => void (await client.query(sql)),
    insert: async () => {
      await client.query("BEGIN");
      for (let at = 0; at < rows.length; at += rowsAtOnce) {
        await insert(client, rows.slice(at, at + rowsAtOnce));
      }
      await client.query("COMMIT");
    },
    close: () => client.end(),
  };
}

function unnest(client: pg.Client, rows: Rows): Promise<unknown> {
  const ids = rows.map(([id]) => id);
  const names = rows.map(([, name]) => name);
  return client.query({ name: "unnest", text: UNNEST, values: [ids, names] });
}

function values(client: pg.Client, rows: Rows): Promise<unknown> {
  const places = rows.map((_, i) => `($${2 * i + 1}, $${2 * i + 2})`);
  const text = `INSERT INTO inserted (id, name) VALUES ${places.join(", ")}`;
  return client.query({ name: `values ${rows.length}`, text, values: rows.flat() });
}

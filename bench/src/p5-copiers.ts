// The clients of P5, each behind one function that copies rows into a table.

import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { copyFrom, postgres as forebayPostgres } from "forebay/postgres";
import pg from "pg";
import { from } from "pg-copy-streams";
import type { Access } from "./accounts.ts";

/** A client to be measured. */
export interface Copier {
  run(sql: string): Promise<void>;
  /** Copies the rows into the table `copied`. */
  copy(): Promise<void>;
  close(): Promise<void>;
}

/** The clients by name. */
export type CopierName =
  | "forebay rows"
  | "forebay rows, binary"
  | "forebay text"
  | "pg-copy-streams";

/** Ours first. */
export const COPIERS: readonly CopierName[] = [
  "forebay rows",
  "forebay rows, binary",
  "forebay text",
  "pg-copy-streams",
];

/** About what a socket takes at once. */
const CHUNK_BYTES = 64 * 1024;

/** The rows of every benchmark of this kind, as a program has them in memory. */
export function rowsTo(last: number): [number, string][] {
  return Array.from({ length: last }, (_, i) => [i + 1, `name of row ${i + 1}`]);
}

/** The same as text in COPY's own format, made beforehand, in chunks of a good size. */
function textTo(last: number): Buffer[] {
  const lines = rowsTo(last).map(([id, name]) => `${id}\t${name}\n`);
  const text = Buffer.from(lines.join(""));
  const chunks: Buffer[] = [];
  for (let at = 0; at < text.length; at += CHUNK_BYTES) {
    chunks.push(text.subarray(at, at + CHUNK_BYTES));
  }
  return chunks;
}

/** Opens a client with one connection. Whatever is ready-made is made here. */
export async function openCopier(
  name: CopierName,
  access: Access,
  rowCount: number,
): Promise<Copier> {
  switch (name) {
    case "forebay rows":
      return await forebayRows(access, "text", rowsTo(rowCount));
    case "forebay rows, binary":
      return await forebayRows(access, "binary", rowsTo(rowCount));
    case "forebay text":
      return await forebayText(access, textTo(rowCount));
    case "pg-copy-streams":
      return await pgCopyStreams(access, textTo(rowCount));
    default:
      return name satisfies never;
  }
}

async function connectForebay({ host, port, user, password, database }: Access) {
  const connector = forebayPostgres({ host, port, user, password, database, sslMode: "disable" });
  const { signal } = new AbortController();
  return await connector.connect({ signal, onLost: () => undefined });
}

async function forebayRows(
  access: Access,
  format: "text" | "binary",
  rows: readonly (readonly unknown[])[],
): Promise<Copier> {
  const conn = await connectForebay(access);
  const target = { table: "copied", columns: ["id", "name"], format };
  return {
    run: async (sql) => void (await conn.query(sql, [])),
    copy: async () => void (await copyFrom(conn, target, rows)),
    close: () => conn.close(),
  };
}

async function forebayText(access: Access, chunks: readonly Buffer[]): Promise<Copier> {
  const conn = await connectForebay(access);
  return {
    run: async (sql) => void (await conn.query(sql, [])),
    copy: async () => void (await copyFrom(conn, "COPY copied (id, name) FROM STDIN", chunks)),
    close: () => conn.close(),
  };
}

async function pgCopyStreams(access: Access, chunks: readonly Buffer[]): Promise<Copier> {
  const { host, port, user, password, database } = access;
  const client = new pg.Client({ host, port, user, password, database });
  await client.connect();
  return {
    run: async (sql) => void (await client.query(sql)),
    copy: async () => {
      const copy = client.query(from("COPY copied (id, name) FROM STDIN"));
      await pipeline(Readable.from(chunks, { objectMode: false }), copy);
    },
    close: () => client.end(),
  };
}

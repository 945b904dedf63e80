// One contender of P7, in a process of its own: reads the whole table, again and again, over one
// connection.

import { type Access, accessFromEnvironment } from "./access.ts";
import { collectGarbage, type Figures, serve } from "./contest.ts";

/** Without arguments, so that each client goes its usual way for such a text. */
const TEXT = "select id, bucket, score, is_open, name, note, made_at, total from bench_rows";
/** Results that do not count, after connecting. */
const WARM_UP = 2;

/** A row as every client gives it, but for `total`: a number, a bigint or a text. */
interface WideRow {
  readonly id: number;
  readonly bucket: number;
  readonly score: number;
  readonly is_open: boolean;
  readonly name: string;
  readonly note: string;
  readonly made_at: Date;
  readonly total: unknown;
}

interface Reader {
  read(): Promise<readonly WideRow[]>;
  close(): Promise<void>;
}

const READERS: Readonly<Record<string, (access: Access) => Promise<Reader>>> = {
  forebay: async ({ host, port, user, password, database }) => {
    const { openPostgres } = await import("forebay/postgres");
    const target = { host, port, user, password, database, sslMode: "disable" } as const;
    const db = openPostgres(target, { maxOpenConns: 1 });
    return { read: async () => (await db.query<WideRow>(TEXT)).rows, close: () => db.close() };
  },
  "Bun.SQL": async (access) => {
    const { openBunSql } = await import("./bun-sql.ts");
    const sql = openBunSql(access, 1);
    return { read: () => sql.unsafe<WideRow>(TEXT, []), close: () => sql.close() };
  },
  pg: async ({ host, port, user, password, database }) => {
    const { default: pg } = await import("pg");
    const pool = new pg.Pool({ host, port, user, password, database, max: 1 });
    const query = { name: "rows", text: TEXT };
    return { read: async () => (await pool.query<WideRow>(query)).rows, close: () => pool.end() };
  },
  "postgres.js": async ({ host, port, user: username, password, database }) => {
    const { default: postgres } = await import("postgres");
    const sql = postgres({ host, port, username, password, database, max: 1 });
    return {
      read: () => sql.unsafe<WideRow[]>(TEXT, [], { prepare: true }),
      close: () => sql.end(),
    };
  },
};

const access = accessFromEnvironment();

async function open(): Promise<Reader> {
  const name = process.argv[2] ?? "";
  const opener = READERS[name];
  if (opener === undefined) throw new Error(`there is no contender ${name}`);
  return await opener(access);
}

/** All rows must be there, and the first and the last must be what they are in the table. */
function check(rows: readonly WideRow[]): void {
  const { length } = rows;
  if (length !== access.rows) throw new Error(`${length} rows were read`);
  for (const row of [rows[0], rows.at(-1)]) {
    if (row === undefined || !isWhole(row)) throw new Error(`a row is not right: ${show(row)}`);
  }
}

function isWhole(row: WideRow): boolean {
  const { id } = row;
  return (
    row.bucket === (id * 7) % 1000 &&
    Math.abs(row.score - id * 0.37) < 1e-6 &&
    row.is_open === (id % 2 === 0) &&
    row.name === `name ${id}` &&
    row.note.length === 37 &&
    row.made_at.getTime() === Date.UTC(2026, 0, 1) + id * 1250 &&
    String(row.total) === String(id * 1_000_003)
  );
}

function show(row: WideRow | undefined): string {
  return JSON.stringify(row, (_, value: unknown) =>
    typeof value === "bigint" ? `${value}n` : value,
  );
}

/** One round: so many results over a connection of its own, one after the other. */
async function rows(times: number): Promise<Figures> {
  const reader = await open();
  try {
    for (let i = 0; i < WARM_UP; i++) check(await reader.read());
    collectGarbage();
    const cpu = process.cpuUsage();
    const startedAtMs = performance.now();
    for (let i = 0; i < times; i++) check(await reader.read());
    const ms = (performance.now() - startedAtMs) / times;
    const { user, system } = process.cpuUsage(cpu);
    return { ms, cpuMs: (user + system) / 1000 / times };
  } finally {
    await reader.close();
  }
}

serve({ rows });

// Connections without TLS read into one buffer that all of them share.

import { createHash } from "node:crypto";
import { expect, inject, test } from "vitest";
import { openPostgres } from "../../packages/forebay/src/postgres/index.ts";

const socketDir = inject("postgresSocketDir");

/** Digests of the values of a column, so that a byte of anybody else's shows. */
function digestOf(i: number, size: number): string {
  const text = createHash("md5").update(String(i)).digest("hex");
  return createHash("md5").update(text.repeat(size)).digest("hex");
}

test.skipIf(socketDir === undefined)(
  "each gets its own, whole, however they alternate",
  async () => {
    const connection = socketDir === undefined ? {} : { host: socketDir };
    const db = openPostgres(inject("postgresUrl"), { connection, maxOpenConns: 4 });
    try {
      const readOne = async (from: number, size: number) => {
        const sql = `SELECT i, repeat(md5(i::text), $3)::bytea AS bytes
        FROM generate_series($1::int, $1::int + $2::int - 1) i`;
        const { rows } = await db.query<{ i: number; bytes: Buffer }>(sql, [from, 100, size]);
        expect(rows.map(({ i }) => i)).toEqual(Array.from({ length: 100 }, (_, at) => from + at));
        for (const { i, bytes } of rows) {
          const digest = createHash("md5").update(bytes).digest("hex");
          expect(digest).toBe(digestOf(i, size));
        }
      };
      const sizes = [1, 7, 50, 400, 3000, 2, 90, 1000];
      // Once the texts are prepared everywhere, values come in binary.
      for (let round = 0; round < 2; round++) {
        await Promise.all(sizes.map((size, at) => readOne(at * 1000, size)));
      }
    } finally {
      await db.close();
    }
  },
);

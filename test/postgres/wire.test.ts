import { expect, inject, test } from "vitest";
import { postgres } from "../../packages/forebay/src/postgres/index.ts";

const url = inject("postgresUrl");
const signal = new AbortController().signal;

test("first contact", async () => {
  const conn = await postgres(url).connect({ signal, onLost: () => {} });
  console.log(conn.processId, conn.serverParameter("server_version"));
  console.log(await conn.query("select 1 as a, 'x' as b, null as c; select now() as t", []));
  console.log(
    await conn.query("select $1::int as a, $2::text as __proto__, 3 as constructor", [1, "x"]),
  );
  const stmt = await conn.prepare("select $1::int8 as a, $2::text as b");
  console.log(await stmt.query([5n, "x"]), await stmt.query(["9007199254740993", null]));
  const rows = await conn.stream(
    "select i, repeat('x', 10) from generate_series(1, $1::int) i",
    [300000],
  );
  let n = 0;
  for (let batch = await rows.next(); batch; batch = await rows.next()) n += batch.length;
  console.log(n, rows.rowsAffected, rows.columns);
  await conn.close();
  expect(1).toBe(1);
});

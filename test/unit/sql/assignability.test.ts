import { expectTypeOf, test } from "vitest";
import type { DriverConn } from "../../../packages/forebay/src/driver/driver.ts";
import type { DB } from "../../../packages/forebay/src/index.ts";
import type { Pool } from "../../../packages/forebay/src/pool/pool.ts";
import type { PgConnection } from "../../../packages/forebay/src/postgres/index.ts";

// The compiler finds these, in `npm run types`; at run time nothing happens.
test("a DB, or a pool, of one driver's connections is one of any driver's", () => {
  expectTypeOf<DB<PgConnection>>().toExtend<DB>();
  expectTypeOf<Pool<PgConnection>>().toExtend<Pool<DriverConn>>();
});

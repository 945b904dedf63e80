import { test } from "node:test";
import type { Connector } from "forebay/driver";
import { type DriverDialect, driverCases } from "forebay/testing";

export function testDriver(connector: Connector, dialect: DriverDialect): void {
  for (const { name, run } of driverCases(connector, dialect)) {
    void test(name, async (t) => {
      const { reason } = await run();
      if (reason !== undefined) t.skip(reason);
    });
  }
}

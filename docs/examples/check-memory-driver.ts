import { checkDriver, type CheckDriverOptions, type DriverDialect } from "forebay/testing";
import { type MemoryConn, MemoryConnector } from "./memory-driver.ts";

function dialectOf(server: MemoryConnector): DriverDialect<MemoryConn> {
  return {
    series: (count) => `COUNT ${count}`,
    echo: "ECHO ?",
    failing: "FAIL",
    slow: "WAIT",
    table: { create: "CREATE t", insert: "INSERT t ?", count: "SIZE t", drop: "DROP t" },
    isolationLevels: [],
    readOnly: false,
    deferrable: false,
    errorsSpoilTx: false,
    kill: (conn) => conn.lose(),
    openCount: () => server.open.size,
  };
}

/** Prints how every case ended; rejects when one failed. */
export async function check(options?: CheckDriverOptions): Promise<void> {
  const server = new MemoryConnector();
  const { cases } = await checkDriver(server, dialectOf(server), options);
  for (const { name, outcome, reason = "" } of cases) console.log(outcome, name, reason);
}

// forebay/testing: for tests of code that uses a pool or a `DB`, and for authors of drivers.
//   VirtualClock     time that stands still until it is told to move
//   FakeConnector    a scripted connector, for tests of code that uses a pool
//   FakeDatabase     a scripted database, for tests of code that uses a `DB`
//   leakCheck        proves that code left nothing behind; trackedSignal knows its listeners
//   checkDriver      runs the conformance cases of the driver contract; driverCases lists them

export {
  checkDriver,
  type CheckDriverOptions,
  type DriverCase,
  type DriverCaseReport,
  driverCases,
  DriverConformanceError,
  type DriverReport,
} from "./conformance/check-driver.ts";
export type { DialectCopy, DialectTable, DriverDialect } from "./conformance/dialect.ts";
export {
  FakeConn,
  FakeConnector,
  type FakeCall,
  type FakeOutcome,
  type FakeScript,
} from "./fake-connector.ts";
export { type DriverCall, FakeDatabase, FakeDbConn, type Hang } from "./fake-database.ts";
export {
  type HasPoolStats,
  type Leak,
  type LeakCheck,
  leakCheck,
  LeakError,
  type LeakSources,
  type WatchedConn,
  type WatchedConnector,
} from "./leak-check.ts";
export { type TrackedSignal, trackedSignal } from "./tracked-signal.ts";
export { VirtualClock } from "./virtual-clock.ts";

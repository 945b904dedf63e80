// forebay/testing: a virtual clock, a scripted connector for tests of code that uses a pool, and a
// scripted database for tests of code that uses a `DB`.

export {
  FakeConn,
  FakeConnector,
  type FakeCall,
  type FakeOutcome,
  type FakeScript,
} from "./fake-connector.ts";
export { type DriverCall, FakeDatabase, FakeDbConn, type Hang } from "./fake-database.ts";
export { VirtualClock } from "./virtual-clock.ts";

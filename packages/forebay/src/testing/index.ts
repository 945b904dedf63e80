// forebay/testing: a virtual clock and a scripted connector, for tests of code that uses a pool.

export {
  FakeConn,
  FakeConnector,
  type FakeCall,
  type FakeOutcome,
  type FakeScript,
} from "./fake-connector.ts";
export { VirtualClock } from "./virtual-clock.ts";

// A driver whose server answers at once, for timing what the library itself takes of a call. The
// FakeDatabase of forebay/testing keeps a log of every call, which takes as long as what is timed.

import type { Connector, DriverConn, DriverResult, DriverRows, DriverStmt } from "forebay/driver";

/** The one row that every statement gives. */
export interface InstantRow {
  readonly v: number;
}

const ROW: InstantRow = { v: 1 };
const COLUMNS = [{ name: "v", type: "int4" }];
const BATCH: unknown[] = [ROW];
const RESULT: DriverResult = { columns: COLUMNS, rows: BATCH, rowsAffected: 1, command: "SELECT" };
const DONE = Promise.resolve();

/** Connects to nothing. */
export class InstantDriver implements Connector {
  readonly name = "instant";

  connect(): Promise<DriverConn> {
    return Promise.resolve(new InstantConn());
  }
}

/** Answers every statement with the same row. */
export class InstantConn implements DriverConn {
  query(): Promise<DriverResult> {
    return Promise.resolve(RESULT);
  }

  stream(): Promise<DriverRows> {
    return Promise.resolve(new InstantRows());
  }

  prepare(): Promise<DriverStmt> {
    const query = (): Promise<DriverResult> => this.query();
    const stream = (): Promise<DriverRows> => this.stream();
    return Promise.resolve({ query, stream, close: () => DONE });
  }

  begin(): Promise<void> {
    return DONE;
  }

  commit(): Promise<void> {
    return DONE;
  }

  rollback(): Promise<void> {
    return DONE;
  }

  close(): void {}
}

/** One batch of one row. */
class InstantRows implements DriverRows {
  readonly columns = COLUMNS;
  readonly rowsAffected = 1;
  #isRead = false;

  next(): Promise<unknown[] | undefined> {
    const batch = this.#isRead ? undefined : BATCH;
    this.#isRead = true;
    return Promise.resolve(batch);
  }

  close(): Promise<void> {
    this.#isRead = true;
    return DONE;
  }
}

import {
  BadConnError,
  type Capability,
  type Column,
  type ConnectOptions,
  type Connector,
  type DriverConn,
  type DriverResult,
  type DriverRows,
  type DriverStmt,
  type OperationOptions,
  type StatementOptions,
  type TxOptions,
} from "forebay/driver";

/** The database: tables of texts. All connections of one connector share them. */
export class MemoryConnector implements Connector<MemoryConn> {
  readonly name = "memory";
  readonly tables = new Map<string, unknown[]>();
  readonly open = new Set<MemoryConn>();

  async connect({ signal, onLost }: ConnectOptions): Promise<MemoryConn> {
    signal.throwIfAborted();
    const conn = new MemoryConn(this, onLost);
    this.open.add(conn);
    return conn;
  }
}

/** What a statement gave: values of one column. */
interface Answer {
  readonly column?: string;
  readonly values?: readonly unknown[];
  readonly rowsAffected?: number;
}

export class MemoryConn implements DriverConn {
  readonly capabilities: readonly Capability[] = ["cancel", "loss"];
  readonly #server: MemoryConnector;
  readonly #onLost: (reason: unknown) => void;
  #isOpen = true;
  /** Makes the statement that waits reject. */
  #stop: (error: unknown) => void = () => undefined;
  /** What an open transaction will insert. */
  #tx: { readonly table: string; readonly value: unknown }[] | undefined;

  constructor(server: MemoryConnector, onLost: (reason: unknown) => void) {
    this.#server = server;
    this.#onLost = onLost;
  }

  async query(
    sql: string,
    args: readonly unknown[],
    options?: StatementOptions,
  ): Promise<DriverResult> {
    const { column, values = [], rowsAffected = 0 } = await this.#run(sql, args, options);
    const rows = rowsOf(column, values, options);
    return { columns: columnsOf(column), rows, rowsAffected, command: sql.split(" ")[0] ?? "" };
  }

  async stream(
    sql: string,
    args: readonly unknown[],
    options?: StatementOptions,
  ): Promise<DriverRows> {
    const { column, values = [], rowsAffected = 0 } = await this.#run(sql, args, options);
    let at = 0;
    let isEnded = false;
    return {
      columns: columnsOf(column),
      get rowsAffected() {
        return isEnded ? rowsAffected : 0;
      },
      next: async () => {
        if (isEnded) return undefined;
        isEnded = true; // also when what follows throws
        this.#check(options);
        const portion = values.slice(at, at + 100);
        if (portion.length === 0) return undefined;
        isEnded = false;
        at += portion.length;
        return rowsOf(column, portion, options);
      },
      close: async () => {
        isEnded = true;
      },
    };
  }

  async prepare(sql: string, options?: OperationOptions): Promise<DriverStmt> {
    this.#check(options);
    return {
      query: (args, options) => this.query(sql, args, options),
      stream: (args, options) => this.stream(sql, args, options),
      close: async () => undefined,
    };
  }

  async begin(tx: TxOptions, options?: OperationOptions): Promise<void> {
    this.#check(options);
    const { isolation, readOnly = false, deferrable = false } = tx;
    if (isolation !== undefined || readOnly || deferrable) {
      throw new Error("memory has no kinds of transactions");
    }
    this.#tx = [];
  }

  async commit(options?: OperationOptions): Promise<void> {
    this.#check(options);
    for (const { table, value } of this.#tx ?? []) this.#rowsOf(table).push(value);
    this.#tx = undefined;
  }

  async rollback(options?: OperationOptions): Promise<void> {
    this.#check(options);
    this.#tx = undefined;
  }

  async close(): Promise<void> {
    this.#isOpen = false;
    this.#stop(new Error("the connection was closed"));
    this.#server.open.delete(this);
  }

  // From here on: optional members.

  async ping(options?: OperationOptions): Promise<void> {
    this.#check(options);
  }

  isValid(): boolean {
    return this.#isOpen;
  }

  resetSession(): Promise<void> | undefined {
    return this.#tx === undefined ? undefined : this.rollback();
  }

  /** Ends the connection as a broken network would. */
  lose(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#server.open.delete(this);
    this.#stop(new Error("the connection was lost during a statement"));
    this.#onLost(new Error("the connection was lost"));
  }

  /** Throws, before anything is done, if nothing may be done. */
  #check(options: OperationOptions | undefined): void {
    options?.signal?.throwIfAborted();
    if (!this.#isOpen) throw new BadConnError("the connection had been lost");
  }

  async #run(
    sql: string,
    args: readonly unknown[],
    options: OperationOptions | undefined,
  ): Promise<Answer> {
    this.#check(options);
    const [word = "", table = "", placeholder] = sql.split(" ");
    const expected = table === "?" || placeholder === "?" ? 1 : 0;
    if (args.length !== expected) throw new Error(`the statement takes ${expected} arguments`);
    switch (word) {
      case "COUNT": {
        const values = Array.from({ length: Number(table) }, (_, i) => i + 1);
        return { column: "n", values, rowsAffected: values.length };
      }
      case "ECHO":
        return { column: "value", values: args };
      case "CREATE":
        this.#server.tables.set(table, []);
        return {};
      case "DROP":
        this.#server.tables.delete(table);
        return {};
      case "INSERT":
        if (this.#tx === undefined) this.#rowsOf(table).push(args[0]);
        else this.#tx.push({ table, value: args[0] });
        return { rowsAffected: 1 };
      case "SIZE":
        return { column: "size", values: [this.#rowsOf(table).length + (this.#tx?.length ?? 0)] };
      case "WAIT":
        await this.#untilStopped(options?.signal);
        return {};
      default:
        throw new Error(`there is no statement ${sql}`);
    }
  }

  /** Waits for ever: until the signal is aborted, or the connection closed or lost. */
  async #untilStopped(signal: AbortSignal | undefined): Promise<void> {
    const onAbort = () => this.#stop(signal?.reason);
    try {
      await new Promise<void>((_, reject) => {
        this.#stop = reject;
        signal?.addEventListener("abort", onAbort);
      });
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
  }

  #rowsOf(table: string): unknown[] {
    const rows = this.#server.tables.get(table);
    if (rows === undefined) throw new Error(`there is no table ${table}`);
    return rows;
  }
}

function columnsOf(name: string | undefined): Column[] {
  return name === undefined ? [] : [{ name, type: "any" }];
}

function rowsOf(
  column = "",
  values: readonly unknown[],
  { rowMode = "object" }: StatementOptions = {},
): unknown[] {
  return values.map((value) => (rowMode === "array" ? [value] : { [column]: value }));
}

// A session for the tests of types: rows as arrays, with the types of the parameters known or not.

import { inject } from "vitest";
import { postgres } from "../../packages/forebay/src/postgres/wire/connector.ts";

/** Runs statements one at a time. */
export interface TypesSession {
  /** The types of the parameters are not known, and the rows come in text format. */
  rows(sql: string, args?: readonly unknown[]): Promise<unknown[][]>;
  /**
   * The types of the parameters are known, and columns come in binary format where that is asked
   * for.
   */
  prepared(sql: string, args: readonly unknown[]): Promise<unknown[][]>;
  close(): Promise<void>;
}

/** Opens a session on the server of the tests. */
export async function openTypesSession(): Promise<TypesSession> {
  const options = { statementMode: "exec" } as const;
  const connection = await postgres(inject("postgresUrl"), options).connect({
    signal: new AbortController().signal,
    onLost: () => undefined,
  });
  return {
    rows: async (sql, args = []) => {
      const result = await connection.query(sql, args, { rowMode: "array" });
      return result.rows as unknown[][];
    },
    prepared: async (sql, args) => {
      const statement = await connection.prepare(sql);
      try {
        const result = await statement.query(args, { rowMode: "array" });
        return result.rows as unknown[][];
      } finally {
        await statement.close();
      }
    },
    close: async () => {
      await connection.close();
    },
  };
}

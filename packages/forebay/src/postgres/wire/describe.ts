// Parse and Describe alone: what the server says about a statement before it is run.

import type { OperationOptions } from "../../driver/driver.ts";
import { Call } from "./call.ts";
import type { Channel } from "./channel.ts";
import type { FieldDescription } from "./proto/backend.ts";
import { SYNC, writeDescribeStatement, writeParse } from "./proto/frontend.ts";

/** What the server says about a statement. */
export interface Described {
  readonly paramOids: readonly number[];
  /** Empty for a statement that gives no rows. */
  readonly fields: readonly FieldDescription[];
}

class DescribeCall extends Call<Described> {
  constructor(channel: Channel, signal: AbortSignal | undefined) {
    super(channel, "prepare", "object", undefined, signal);
  }

  protected override finish(): Described {
    return { paramOids: this.paramOids ?? [], fields: this.fields };
  }
}

/**
 * Has a statement parsed, and asks what it takes and gives; the gate has been passed. With a name
 * it stays prepared, and the server may have it even where this rejects.
 */
export async function describe(
  channel: Channel,
  name: string,
  sql: string,
  options: OperationOptions | undefined,
): Promise<Described> {
  const { writer } = channel;
  channel.write(() => {
    writeParse(writer, name, sql);
    writeDescribeStatement(writer, name);
    writer.bytes(SYNC);
  });
  const call = new DescribeCall(channel, options?.signal);
  channel.submit(call);
  return await call.promise;
}

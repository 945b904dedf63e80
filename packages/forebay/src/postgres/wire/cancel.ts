// CancelRequest: asks the server, over a connection of its own, to stop what a session is doing.

import type { PostgresConfig } from "./config.ts";
import { writeCancel } from "./proto/frontend.ts";
import { Writer } from "./proto/writer.ts";
import type { SessionFacts } from "./startup.ts";
import { type Address, destroyed, openTransport, until } from "./transport.ts";

/** What is to be cancelled, and how the server is reached. */
export interface CancelTarget {
  readonly config: PostgresConfig;
  /**
   * Where the session's own connection goes: another host of the same name knows nothing of the
   * session.
   */
  readonly address: Address;
  /**
   * Whether the session is encrypted; then the request is, too, because the key in it is a secret.
   */
  readonly encrypted: boolean;
  readonly facts: SessionFacts;
}

/**
 * Sends a CancelRequest and waits until the server has closed the connection, which it does after
 * it has passed the request on: from then on, the request hits what the session does already, and
 * nothing later.
 *
 * `isWanted` is asked last thing before the request is written. Resolves with `not-sent` when
 * nothing was written, for whatever reason; with `unknown` when it was, and the server did not
 * close the connection in order: then the request may hit anything that the session does. Never
 * rejects.
 */
export async function sendCancel(
  target: CancelTarget,
  isWanted: () => boolean,
  signal: AbortSignal,
): Promise<"not-sent" | "done" | "unknown"> {
  const { config, address, encrypted, facts } = target;
  let written = false;
  try {
    const security = encrypted ? "tls" : "plain";
    const { socket } = await openTransport(config, address, security, signal);
    if (!isWanted()) {
      await destroyed(socket);
      return "not-sent";
    }
    const writer = new Writer();
    writeCancel(writer, facts.processId, facts.cancelKey);
    written = true;
    socket.write(writer.take());
    socket.resume();
    await until(socket, "end", signal);
    await destroyed(socket);
    return "done";
  } catch {
    // The request is a favour to the server; what it failed of changes nothing but the answer.
    return written ? "unknown" : "not-sent";
  }
}

// The error for bytes that the other side had no right to send. Made by the readers of bytes;
// judged by the session.

/**
 * The server sent bytes that break the protocol or a type's format. Nothing that follows on the
 * connection can be trusted: it must be closed. The message says what was expected, never what the
 * value was.
 */
export class ProtocolError extends Error {
  readonly code = "PROTOCOL_ERROR";

  constructor(message: string) {
    super(`${message} [PROTOCOL_ERROR]`);
    this.name = "ProtocolError";
  }
}

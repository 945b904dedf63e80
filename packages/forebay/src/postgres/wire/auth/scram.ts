// The client's side of SCRAM-SHA-256 (RFC 5802, RFC 7677), with and without channel binding (RFC
// 5929). Text in, text out: deriving the key from the password is slow on purpose and is left to
// the caller.

import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { ForebayError } from "../../../base/errors.ts";
import { ProtocolError } from "../proto/protocol-error.ts";

/** More rounds than this are refused: a false server could keep the client busy for minutes. */
export const SCRAM_ITERATIONS_MAX = 1_000_000;

/**
 * How the exchange is tied to the TLS connection.
 *
 * - `none`: the client cannot, or is told not to.
 * - `unoffered`: the client can, but the server says that it cannot; the server checks that it
 *   really said so.
 * - a `Buffer`: the `tls-server-end-point` data, a digest of the server's certificate.
 */
export type ChannelBinding = "none" | "unoffered" | Buffer;

/** What the server asks the client to derive its key from. */
export interface ScramChallenge {
  readonly salt: Buffer;
  readonly iterations: number;
}

/** One exchange. The methods are called in order, each once. */
export class ScramExchange {
  readonly #nonce: string;
  readonly #header: string;
  readonly #binding: ChannelBinding;
  readonly #firstBare: string;
  #serverFirst = "";
  #serverNonce = "";
  #serverSignature: Buffer | undefined;

  /**
   * `nonce` is random printable text without a comma. PostgreSQL takes the user from the startup
   * message and wants none here.
   */
  constructor(nonce: string, binding: ChannelBinding, user: string = "") {
    this.#nonce = nonce;
    this.#binding = binding;
    this.#firstBare = `n=${user},r=${nonce}`;
    if (binding === "none") this.#header = "n,,";
    else this.#header = binding === "unoffered" ? "y,," : "p=tls-server-end-point,,";
  }

  /** The client's first message. */
  first(): string {
    return this.#header + this.#firstBare;
  }

  /** Reads the server's first message. */
  challenge(serverFirst: string): ScramChallenge {
    const match = /^r=([\x21-\x2b\x2d-\x7e]+),s=([A-Za-z0-9+/=]+),i=([1-9][0-9]{0,9})(?:,|$)/u.exec(
      serverFirst,
    );
    const [, nonce, salt, iterations] = match ?? [];
    if (nonce === undefined || salt === undefined) {
      throw new ProtocolError("the server sent a malformed SCRAM challenge");
    }
    if (!nonce.startsWith(this.#nonce) || nonce.length === this.#nonce.length) {
      throw new ProtocolError("the server sent a SCRAM nonce that does not extend the client's");
    }
    const rounds = Number(iterations);
    if (rounds > SCRAM_ITERATIONS_MAX) {
      throw authFailed(
        `the server asks for ${rounds} rounds of SCRAM; ${SCRAM_ITERATIONS_MAX} are allowed`,
      );
    }
    this.#serverFirst = serverFirst;
    this.#serverNonce = nonce;
    return { salt: Buffer.from(salt, "base64"), iterations: rounds };
  }

  /**
   * The client's last message. `saltedPassword` is PBKDF2 with HMAC-SHA-256 over the prepared
   * password, 32 bytes.
   */
  final(saltedPassword: Buffer): string {
    const bound = Buffer.concat([
      Buffer.from(this.#header),
      typeof this.#binding === "string" ? Buffer.alloc(0) : this.#binding,
    ]);
    const withoutProof = `c=${bound.toString("base64")},r=${this.#serverNonce}`;
    const authMessage = `${this.#firstBare},${this.#serverFirst},${withoutProof}`;
    const clientKey = hmac(saltedPassword, "Client Key");
    const storedKey = createHash("sha256").update(clientKey).digest();
    const clientSignature = hmac(storedKey, authMessage);
    const proof = clientKey.map((byte, i) => byte ^ (clientSignature[i] ?? 0));
    this.#serverSignature = hmac(hmac(saltedPassword, "Server Key"), authMessage);
    return `${withoutProof},p=${Buffer.from(proof).toString("base64")}`;
  }

  /**
   * Checks the server's last message: throws unless the server has shown that it knows the password
   * too.
   */
  verify(serverFinal: string): void {
    const [, signature] = /^v=([A-Za-z0-9+/=]+)(?:,|$)/u.exec(serverFinal) ?? [];
    const expected = this.#serverSignature;
    if (signature === undefined || expected === undefined) {
      throw new ProtocolError("the server sent a malformed SCRAM confirmation");
    }
    const given = Buffer.from(signature, "base64");
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
      throw authFailed(
        "the server could not prove that it knows the password: it may be a different server",
      );
    }
  }
}

/** The error for an exchange that the client breaks off. */
export function authFailed(reason: string): ForebayError {
  return new ForebayError("operating", "AUTH_FAILED", `authentication was broken off: ${reason}`, {
    retryable: true,
  });
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}

// The beginning of a session, from the startup message to the first ReadyForQuery. Synchronous:
// messages come in, orders for the host go out. Reading from sockets and deriving keys is for the
// host.

import { BodyReader, MESSAGE, readMessageFields, readTxStatus } from "./proto/backend.ts";
import {
  writePassword,
  writeSaslInitial,
  writeSaslResponse,
  writeStartup,
} from "./proto/frontend.ts";
import { ForebayError } from "../../base/errors.ts";
import { ProtocolError } from "./proto/protocol-error.ts";
import type { MessageHandler } from "./proto/reader.ts";
import { Writer } from "./proto/writer.ts";
import { md5Answer } from "./auth/md5.ts";
import { saslPrep } from "./auth/saslprep.ts";
import {
  authFailed,
  type ChannelBinding,
  type ScramChallenge,
  ScramExchange,
} from "./auth/scram.ts";
import type { ChannelBindingMode, CommonConfig } from "./config.ts";
import { PgError, type PgNotice } from "./errors.ts";

/** What a session is begun with. */
export interface StartupOptions {
  readonly user: string;
  readonly password: string | undefined;
  /** The parameters of the startup message, `user` among them. */
  readonly parameters: ReadonlyMap<string, string>;
  readonly channelBinding: ChannelBindingMode;
  readonly protocolMinors: CommonConfig["protocolMinors"];
  /** Whether the connection is encrypted. */
  readonly encrypted: boolean;
  /**
   * The binding data of the server's certificate; `undefined` without TLS, or where none is
   * defined.
   */
  readonly endPoint: Buffer | undefined;
  /** Random printable text without a comma, new for each session. */
  readonly nonce: string;
}

/** What the server says about a session that has begun. */
export interface SessionFacts {
  /** Parameters that the server reports, such as `server_version`. */
  readonly parameters: Map<string, string>;
  readonly processId: number;
  /** The version of the protocol that is spoken. */
  readonly protocolVersion: "3.0" | "3.2";
  /**
   * The key that a CancelRequest must show; empty when the server gave none, and then cannot be
   * cancelled.
   */
  readonly cancelKey: Buffer;
}

/** Who carries out what a `Startup` decides. */
export interface StartupHost {
  /** Sends bytes. */
  send(bytes: Buffer): void;
  /** Derives the SCRAM key from a prepared password, and then calls `onDerived`. */
  derive(password: string, challenge: ScramChallenge): void;
  /** The server reported something. */
  notice(notice: PgNotice): void;
  /** The session is ready. Called once. */
  ready(facts: SessionFacts): void;
}

type Phase = "auth" | "sasl" | "deriving" | "sasl-final" | "sasl-done" | "settings";

const SCRAM = "SCRAM-SHA-256";
const CANCEL_KEY_BYTES_MAX = 256;
const SCRAM_PLUS = "SCRAM-SHA-256-PLUS";

/**
 * Carries a session to its first ReadyForQuery. Any error that a method throws ends the attempt.
 */
export class Startup implements MessageHandler {
  readonly #options: StartupOptions;
  readonly #host: StartupHost;
  readonly #writer: Writer = new Writer();
  readonly #parameters: Map<string, string> = new Map();
  #phase: Phase = "auth";
  #bound = false;
  #scram: ScramExchange | undefined;
  #processId = 0;
  #cancelKey: Buffer = Buffer.alloc(0);
  #minor: number;

  constructor(options: StartupOptions, host: StartupHost) {
    this.#options = options;
    this.#host = host;
    this.#minor = options.protocolMinors.max;
  }

  /** Sends the startup message. Called once, first. */
  begin(): void {
    writeStartup(this.#writer, this.#minor, this.#options.parameters);
    this.#flush();
  }

  onMessage(type: number, bytes: Buffer, start: number, end: number): void {
    switch (type) {
      case MESSAGE.errorResponse:
        throw new PgError(readMessageFields(bytes, start, end));
      case MESSAGE.noticeResponse:
        this.#host.notice(readMessageFields(bytes, start, end));
        return;
      case MESSAGE.authentication:
        this.#onAuthentication(new BodyReader(bytes, start, end));
        return;
      case MESSAGE.negotiateProtocolVersion:
        this.#onNegotiate(new BodyReader(bytes, start, end));
        return;
      default:
        if (this.#phase !== "settings") throw unexpected(type);
        this.#onSetting(type, bytes, start, end);
    }
  }

  /** Goes on with the key that `derive` asked for. */
  onDerived(saltedPassword: Buffer): void {
    if (this.#phase !== "deriving" || this.#scram === undefined) return;
    this.#phase = "sasl-final";
    writeSaslResponse(this.#writer, this.#scram.final(saltedPassword));
    this.#flush();
  }

  #flush(): void {
    this.#host.send(this.#writer.take());
  }

  #onSetting(type: number, bytes: Buffer, start: number, end: number): void {
    const reader = new BodyReader(bytes, start, end);
    switch (type) {
      case MESSAGE.parameterStatus: {
        const name = reader.cstring();
        this.#parameters.set(name, reader.cstring());
        return;
      }
      case MESSAGE.backendKeyData:
        this.#processId = reader.int32();
        this.#cancelKey = reader.rest();
        if (this.#cancelKey.length > CANCEL_KEY_BYTES_MAX) {
          throw new ProtocolError("the server sent a key for cancel requests that is too long");
        }
        return;
      case MESSAGE.readyForQuery:
        readTxStatus(bytes, start, end);
        this.#host.ready({
          parameters: this.#parameters,
          processId: this.#processId,
          protocolVersion: this.#minor === 0 ? "3.0" : "3.2",
          cancelKey: this.#cancelKey,
        });
        return;
      default:
        throw unexpected(type);
    }
  }

  /**
   * The server may choose an older minor version than the one that was asked for, never a newer
   * one; it may refuse `_pq_.` options, of which we send none.
   */
  #onNegotiate(reader: BodyReader): void {
    this.#expect("auth", "a version of the protocol");
    const minor = reader.int32() & 0xffff;
    const { min } = this.#options.protocolMinors;
    // There is no 3.1; and a server that speaks what was asked for has nothing to negotiate about.
    // One of old says so all the same, if a proxy before it has asked for something.
    if (minor > this.#minor || minor === 1) {
      throw new ProtocolError(`the server chose protocol 3.${minor}, unasked`);
    }
    if (minor < min) {
      throw new ForebayError(
        "operating",
        "CONNECT_FAILED",
        `the server speaks protocol 3.${minor} only, and min_protocol_version is 3.${min}: ` +
          "lower it, or use PostgreSQL 18 or newer",
        { retryable: true },
      );
    }
    this.#minor = minor;
  }

  #onAuthentication(reader: BodyReader): void {
    const kind = reader.int32();
    switch (kind) {
      case 0:
        this.#onOk();
        return;
      case 3:
        this.#expect("auth", "password");
        writePassword(this.#writer, this.#passwordFor("a password"));
        this.#phase = "sasl-done";
        this.#flush();
        return;
      case 5:
        this.#expect("auth", "md5");
        this.#answerMd5(reader.rest());
        return;
      case 10:
        this.#expect("auth", "SASL");
        this.#onSasl(reader);
        return;
      case 11:
        this.#expect("sasl", "SASL");
        this.#onChallenge(reader.rest().toString());
        return;
      case 12:
        this.#expect("sasl-final", "SASL");
        this.#scram?.verify(reader.rest().toString());
        this.#phase = "sasl-done";
        return;
      default:
        throw authFailed(
          `the server asks for method ${METHOD_NAMES[kind] ?? kind}, which is not supported; ` +
            "use scram-sha-256",
        );
    }
  }

  /**
   * Accepts the server's word that we are in, unless a proof that was asked for, or begun, is
   * missing.
   */
  #onOk(): void {
    if (this.#phase !== "auth" && this.#phase !== "sasl-done") {
      throw authFailed("the server ended SCRAM without proving that it knows the password");
    }
    this.#requireBinding(this.#bound);
    this.#phase = "settings";
  }

  #requireBinding(bound: boolean): void {
    if (this.#options.channelBinding === "require" && !bound) {
      throw authFailed("channel binding is required, and the server does not use it");
    }
  }

  #passwordFor(method: string): string {
    const { password } = this.#options;
    if (password === undefined) {
      throw authFailed(`the server asks for ${method}, and none was given`);
    }
    this.#requireBinding(false);
    return password;
  }

  #answerMd5(salt: Buffer): void {
    if (salt.length !== 4) throw new ProtocolError("the server sent a malformed md5 challenge");
    const answer = md5Answer(this.#options.user, this.#passwordFor("a password (md5)"), salt);
    writePassword(this.#writer, answer);
    this.#phase = "sasl-done";
    this.#flush();
  }

  #onSasl(reader: BodyReader): void {
    const offered = new Set<string>();
    for (let name = reader.cstring(); name !== ""; name = reader.cstring()) offered.add(name);
    const { channelBinding, encrypted, endPoint, nonce, password } = this.#options;
    const can = channelBinding !== "disable" && encrypted && endPoint !== undefined;
    let binding: ChannelBinding = "none";
    if (can) binding = offered.has(SCRAM_PLUS) ? endPoint : "unoffered";
    this.#bound = typeof binding !== "string";
    this.#requireBinding(this.#bound);
    if (!this.#bound && !offered.has(SCRAM)) {
      throw authFailed(`the server offers only ${[...offered].join(", ") || "nothing"} for SASL`);
    }
    if (password === undefined) {
      throw authFailed("the server asks for a password (SCRAM), and none was given");
    }
    this.#scram = new ScramExchange(nonce, binding);
    writeSaslInitial(this.#writer, this.#bound ? SCRAM_PLUS : SCRAM, this.#scram.first());
    this.#phase = "sasl";
    this.#flush();
  }

  #onChallenge(serverFirst: string): void {
    const { password } = this.#options;
    if (this.#scram === undefined || password === undefined)
      throw unexpected(MESSAGE.authentication);
    const challenge = this.#scram.challenge(serverFirst);
    this.#phase = "deriving";
    this.#host.derive(saslPrep(password), challenge);
  }

  #expect(phase: Phase, what: string): void {
    if (this.#phase !== phase) throw new ProtocolError(`the server sent ${what} out of turn`);
  }
}

const METHOD_NAMES: Readonly<Record<number, string>> = {
  2: "Kerberos V5",
  6: "SCM credential",
  7: "GSSAPI",
  8: "GSSAPI",
  9: "SSPI",
};

function unexpected(type: number): ProtocolError {
  const letter = JSON.stringify(String.fromCharCode(type));
  return new ProtocolError(`the server sent an unexpected message ${letter} at the beginning`);
}

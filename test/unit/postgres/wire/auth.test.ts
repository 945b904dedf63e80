// Authentication by itself: published vectors, and what a false server may try.

import { createHash, pbkdf2Sync } from "node:crypto";
import { describe, expect, test } from "vitest";
import * as tls from "../../../../packages/forebay/src/postgres/wire/auth/channel-binding.ts";
import { md5Answer } from "../../../../packages/forebay/src/postgres/wire/auth/md5.ts";
import { saslPrep } from "../../../../packages/forebay/src/postgres/wire/auth/saslprep.ts";
import {
  type ChannelBinding,
  ScramExchange,
} from "../../../../packages/forebay/src/postgres/wire/auth/scram.ts";

const nonce = "rOprNGfwEbeRWgbNEkqO";
const serverFirst = `r=${nonce}%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`;

function exchange(binding: ChannelBinding = "none") {
  const scram = new ScramExchange(nonce, binding, "user");
  const { salt, iterations } = scram.challenge(serverFirst);
  return { scram, key: pbkdf2Sync("pencil", salt, iterations, 32, "sha256") };
}

describe("SCRAM-SHA-256", () => {
  test("gives the messages of the example in RFC 7677", () => {
    const { scram, key } = exchange();
    expect(scram.first()).toBe(`n,,n=user,r=${nonce}`);
    expect(scram.final(key)).toBe(
      `c=biws,r=${nonce}%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,` +
        "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
    );
    scram.verify("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
  });

  test("says in its header how it is bound, and binds to exactly that", () => {
    const digest = createHash("sha256").update("certificate").digest();
    const headers: readonly [ChannelBinding, string, Buffer][] = [
      ["none", "n,,", Buffer.alloc(0)],
      ["unoffered", "y,,", Buffer.alloc(0)],
      [digest, "p=tls-server-end-point,,", digest],
    ];
    for (const [binding, header, data] of headers) {
      const { scram, key } = exchange(binding);
      expect(scram.first().startsWith(header)).toBe(true);
      const bound = Buffer.concat([Buffer.from(header), data]).toString("base64");
      expect(scram.final(key).startsWith(`c=${bound},`)).toBe(true);
    }
  });

  test.each([
    ["v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", "AUTH_FAILED"],
    ["v=AAAA", "AUTH_FAILED"],
    ["e=other-error", "PROTOCOL_ERROR"],
    ["", "PROTOCOL_ERROR"],
  ])("refuses a server that proves itself by %j", (final, code) => {
    const { scram, key } = exchange();
    scram.final(key);
    expect(() => scram.verify(final)).toThrow(`[${code}]`);
  });

  test("refuses a proof that comes before the client's own", () => {
    const { scram } = exchange();
    expect(() => scram.verify("v=6rri")).toThrow("[PROTOCOL_ERROR]");
  });

  test.each([
    ["r=other,s=AAAA,i=4096", "PROTOCOL_ERROR"],
    [`r=${nonce},s=AAAA,i=4096`, "PROTOCOL_ERROR"],
    [`r=${nonce}x,s=AAAA,i=0`, "PROTOCOL_ERROR"],
    [`r=${nonce}x,s=AAAA,i=-5`, "PROTOCOL_ERROR"],
    [`r=${nonce}x,s=AAAA`, "PROTOCOL_ERROR"],
    [`m=ext,r=${nonce}x,s=AAAA,i=4096`, "PROTOCOL_ERROR"],
    [`r=${nonce}x,s=AAAA,i=1000001`, "AUTH_FAILED"],
    [`r=${nonce}x,s=AAAA,i=9999999999`, "AUTH_FAILED"],
  ])("refuses the challenge %j", (challenge, code) => {
    const scram = new ScramExchange(nonce, "none");
    expect(() => scram.challenge(challenge)).toThrow(`[${code}]`);
  });

  test("takes the most rounds that are allowed", () => {
    const scram = new ScramExchange(nonce, "none");
    expect(scram.challenge(`r=${nonce}x,s=AAAA,i=1000000`).iterations).toBe(1_000_000);
  });
});

describe("SASLprep", () => {
  test.each([
    ["plain", "plain", "plain ASCII stays"],
    ["I\u00ADX", "IX", "a soft hyphen goes"],
    ["user", "user", "no case is folded"],
    ["USER", "USER", "no case is folded"],
    ["\u00AA", "a", "compatibility forms are replaced"],
    ["\u2168", "IX", "compatibility forms are replaced"],
    ["a\u00A0b\u3000c", "a b c", "blanks become one kind"],
    ["e\u0301", "\u00E9", "parts are composed"],
    ["\u0007bell", "\u0007bell", "what is forbidden stays raw"],
    ["\u00AA\u0007", "\u00AA\u0007", "what is forbidden stays raw"],
    ["\u0627\u0031", "\u0627\u0031", "right-to-left text must end as it began"],
    ["\u0627\u00AA\u0628", "\u0627\u00AA\u0628", "writing directions do not mix"],
    ["\u0627\u00A0\u0628", "\u0627 \u0628", "right-to-left text is prepared, too"],
    ["\u00AD", "\u00AD", "nothing is not a password"],
    ["\uE000\u00AA", "\uE000\u00AA", "private use is forbidden"],
    ["\uFDD0\u00AA", "\uFDD0\u00AA", "non-characters are forbidden"],
    ["p😀\u00AA", "p😀a", "later characters are let through"],
  ])("of %j is %j: %s", (password, prepared) => {
    expect(saslPrep(password)).toBe(prepared);
  });
});

test("the md5 answer is the digest of the digest", () => {
  // As a server computes it: echo -n secretbob | md5sum; then the digest with the salt.
  const inner = createHash("md5").update("secretbob").digest("hex");
  const salt = Buffer.from([1, 2, 3, 4]);
  const outer = createHash("md5")
    .update(Buffer.concat([Buffer.from(inner), salt]))
    .digest("hex");
  expect(md5Answer("bob", "secret", salt)).toBe(`md5${outer}`);
});

describe("tls-server-end-point", () => {
  /** As much of a certificate as is looked at: something signed, and the signature's algorithm. */
  function certificate(algorithm: readonly number[]): Buffer {
    const signed = [0x30, 3, 2, 1, 5];
    const inner = [...signed, 0x30, algorithm.length, ...algorithm];
    return Buffer.from([0x30, inner.length, ...inner]);
  }

  const rsa = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
  const sha384 = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02];
  const hashId = [0x30, sha384.length + 2, 0x06, sha384.length, ...sha384];
  const pssParameters = [0xa0, hashId.length, ...hashId];

  test.each([
    ["RSA with MD5", [0x06, 9, ...rsa, 4, 5, 0], "sha256"],
    ["RSA with SHA-1", [0x06, 9, ...rsa, 5, 5, 0], "sha256"],
    ["RSA with SHA-256", [0x06, 9, ...rsa, 11, 5, 0], "sha256"],
    ["RSA with SHA-512", [0x06, 9, ...rsa, 13, 5, 0], "sha512"],
    ["ECDSA with SHA-384", [0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3], "sha384"],
    [
      "RSA-PSS with SHA-384",
      [0x06, 9, ...rsa, 10, 0x30, pssParameters.length, ...pssParameters],
      "sha384",
    ],
    ["RSA-PSS with its default", [0x06, 9, ...rsa, 10, 0x30, 0], "sha256"],
  ])("of %s is a digest by the right function", (_name, algorithm, hash) => {
    const bytes = certificate(algorithm);
    expect(tls.tlsServerEndPoint(bytes)).toEqual(createHash(hash).update(bytes).digest());
  });

  test("is not defined for Ed25519, nor for what is no certificate", () => {
    expect(tls.tlsServerEndPoint(certificate([0x06, 3, 0x2b, 0x65, 0x70]))).toBeUndefined();
    const good = certificate([0x06, 9, ...rsa, 11, 5, 0]);
    for (let length = 0; length < 20; length++) {
      expect(tls.tlsServerEndPoint(good.subarray(0, length))).toBeUndefined();
    }
    expect(tls.tlsServerEndPoint(Buffer.from("not a certificate at all"))).toBeUndefined();
  });
});

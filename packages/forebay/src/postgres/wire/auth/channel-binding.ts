// The `tls-server-end-point` channel binding of RFC 5929: a digest of the server's certificate,
// made with the hash function of the certificate's own signature.

import { createHash } from "node:crypto";

/**
 * Signature algorithms by object identifier, with the hash that the binding uses: MD5 and SHA-1
 * become SHA-256.
 */
const HASH_BY_OID: Readonly<Record<string, string>> = {
  "1.2.840.113549.1.1.4": "sha256",
  "1.2.840.113549.1.1.5": "sha256",
  "1.2.840.113549.1.1.11": "sha256",
  "1.2.840.113549.1.1.12": "sha384",
  "1.2.840.113549.1.1.13": "sha512",
  "1.2.840.113549.1.1.14": "sha224",
  "1.2.840.10045.4.1": "sha256",
  "1.2.840.10045.4.3.1": "sha224",
  "1.2.840.10045.4.3.2": "sha256",
  "1.2.840.10045.4.3.3": "sha384",
  "1.2.840.10045.4.3.4": "sha512",
  "1.2.840.10040.4.3": "sha256",
  "2.16.840.1.101.3.4.3.1": "sha224",
  "2.16.840.1.101.3.4.3.2": "sha256",
};

const RSA_PSS = "1.2.840.113549.1.1.10";

const PSS_HASH_BY_OID: Readonly<Record<string, string>> = {
  "1.3.14.3.2.26": "sha256",
  "2.16.840.1.101.3.4.2.1": "sha256",
  "2.16.840.1.101.3.4.2.2": "sha384",
  "2.16.840.1.101.3.4.2.3": "sha512",
  "2.16.840.1.101.3.4.2.4": "sha224",
};

/**
 * The binding data for a certificate in DER; `undefined` where none is defined, as for Ed25519, and
 * for bytes that are not a certificate.
 */
export function tlsServerEndPoint(certificate: Buffer): Buffer | undefined {
  const hash = signatureHash(certificate);
  return hash === undefined ? undefined : createHash(hash).update(certificate).digest();
}

function signatureHash(certificate: Buffer): string | undefined {
  const outer = readElement(certificate, 0);
  const signed = outer && readElement(certificate, outer.start);
  const algorithm = signed && readElement(certificate, signed.end);
  const id = algorithm && readElement(certificate, algorithm.start);
  if (algorithm === undefined || id === undefined || id.tag !== 0x06) return undefined;
  const oid = readOid(certificate, id);
  if (oid !== RSA_PSS) return HASH_BY_OID[oid];
  // RSASSA-PSS-params: SEQUENCE { [0] { SEQUENCE { OID hash … } } … }; without [0] the hash is
  // SHA-1.
  const parameters = readElement(certificate, id.end);
  const tagged = parameters && readElement(certificate, parameters.start);
  if (tagged === undefined || tagged.tag !== 0xa0) return "sha256";
  const inner = readElement(certificate, tagged.start);
  const hashId = inner && readElement(certificate, inner.start);
  return hashId?.tag === 0x06 ? PSS_HASH_BY_OID[readOid(certificate, hashId)] : undefined;
}

interface DerElement {
  readonly tag: number;
  /** Where its contents begin and end. */
  readonly start: number;
  readonly end: number;
}

function readElement(der: Buffer, at: number): DerElement | undefined {
  const tag = der[at];
  const first = der[at + 1];
  if (tag === undefined || first === undefined) return undefined;
  const lengthBytes = first < 0x80 ? 0 : first & 0x7f;
  if (lengthBytes > 4 || at + 2 + lengthBytes > der.length) return undefined;
  const length = lengthBytes === 0 ? first : der.readUIntBE(at + 2, lengthBytes);
  const start = at + 2 + lengthBytes;
  return start + length > der.length ? undefined : { tag, start, end: start + length };
}

function readOid(der: Buffer, element: DerElement): string {
  const parts: number[] = [];
  let part = 0;
  for (let at = element.start; at < element.end; at++) {
    const byte = der[at] ?? 0;
    part = part * 128 + (byte & 0x7f);
    if (byte < 0x80) {
      if (parts.length === 0) parts.push(Math.min(Math.floor(part / 40), 2));
      parts.push(parts.length === 1 ? part - (parts[0] ?? 0) * 40 : part);
      part = 0;
    }
  }
  return parts.join(".");
}

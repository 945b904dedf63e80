// Certificates of clients, and an authority that has signed them; for one run, as the server's.

import { generate } from "selfsigned";

/** A certificate and its key, in PEM. */
export interface ClientCertificate {
  readonly cert: string;
  readonly key: string;
}

/** An authority, and a way to have certificates from it. */
export interface ClientAuthority {
  /** Its own certificate, which a server trusts. */
  readonly cert: string;
  /** A certificate for a user. */
  sign(user: string): Promise<ClientCertificate>;
}

const HOUR_MS = 3_600_000;

/** Makes an authority. */
export async function makeClientAuthority(name: string): Promise<ClientAuthority> {
  const common = {
    keyType: "ec",
    curve: "P-256",
    algorithm: "sha256",
    notBeforeDate: new Date(Date.now() - HOUR_MS),
    notAfterDate: new Date(Date.now() + 24 * HOUR_MS),
  } as const;
  const authority = await generate([{ name: "commonName", value: name }], {
    ...common,
    extensions: [
      { name: "basicConstraints", cA: true, critical: true },
      { name: "keyUsage", keyCertSign: true, cRLSign: true, critical: true },
    ],
  });
  return {
    cert: authority.cert,
    sign: async (user) => {
      const made = await generate([{ name: "commonName", value: user }], {
        ...common,
        ca: { key: authority.private, cert: authority.cert },
        extensions: [
          { name: "basicConstraints", cA: false },
          { name: "keyUsage", digitalSignature: true, critical: true },
          { name: "extKeyUsage", clientAuth: true },
        ],
      });
      return { cert: made.cert, key: made.private };
    },
  };
}

// The certificates of an embedded server: an authority of its own, and a server certificate signed
// by it, so that clients can check it in full. Made anew for every run, and worthless after it.

/** Certificates and a key, in PEM. */
export interface Certificates {
  /** What a client trusts. */
  readonly authority: string;
  readonly server: string;
  readonly serverKey: string;
}

const HOUR_MS = 3_600_000;
const VALID_MS = 30 * 24 * HOUR_MS;

/** Makes certificates for `localhost`, `127.0.0.1` and `::1`, valid for thirty days. */
export async function makeCertificates(now: Date = new Date()): Promise<Certificates> {
  // Loaded when needed: it is most of the start-up time of a command that does not start a server.
  const { generate } = await import("selfsigned");
  const common = {
    keyType: "ec",
    curve: "P-256",
    algorithm: "sha256",
    // A clock that is set back a little must not make them invalid.
    notBeforeDate: new Date(now.getTime() - HOUR_MS),
    notAfterDate: new Date(now.getTime() + VALID_MS),
  } as const;
  const authority = await generate([{ name: "commonName", value: "Forebay throwaway authority" }], {
    ...common,
    extensions: [
      { name: "basicConstraints", cA: true, critical: true },
      { name: "keyUsage", keyCertSign: true, cRLSign: true, critical: true },
    ],
  });
  const server = await generate([{ name: "commonName", value: "localhost" }], {
    ...common,
    ca: { key: authority.private, cert: authority.cert },
    extensions: [
      { name: "basicConstraints", cA: false },
      { name: "keyUsage", digitalSignature: true, critical: true },
      { name: "extKeyUsage", serverAuth: true },
      {
        name: "subjectAltName",
        altNames: [
          { type: 2, value: "localhost" },
          { type: 7, ip: "127.0.0.1" },
          { type: 7, ip: "::1" },
        ],
      },
    ],
  });
  return { authority: authority.cert, server: server.cert, serverKey: server.private };
}

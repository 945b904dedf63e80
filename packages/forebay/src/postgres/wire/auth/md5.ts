// MD5 password authentication, which servers before PostgreSQL 14 used by default. Weak: only for
// old servers.

import { createHash } from "node:crypto";

/**
 * The answer to an md5 challenge: `md5` and the hex digest of the salted digest of password and
 * user.
 */
export function md5Answer(user: string, password: string, salt: Buffer): string {
  const inner = createHash("md5").update(password).update(user).digest("hex");
  return `md5${createHash("md5").update(inner).update(salt).digest("hex")}`;
}

// `npm run lock`: completes package-lock.json. npm leaves out the optional packages for other
// platforms when the registry in use does not offer them (a mirror may not), and `npm ci` then
// fails everywhere. Their versions are exact in the packages that ask for them, so the entries can
// be made without the registry; npm looks their hashes up on install.

import { readFileSync, writeFileSync } from "node:fs";

interface Entry {
  readonly version?: string;
  readonly cpu?: readonly (string | undefined)[];
  readonly os?: readonly string[];
  readonly libc?: readonly string[];
  readonly optional?: boolean;
  readonly dev?: boolean;
  readonly engines?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const OS = "android|darwin|freebsd|linux|win32|openharmony";
const CPU = "arm64|arm|x64|ppc64|riscv64|s390x|ia32";
const PLATFORM = new RegExp(`(${OS})-(${CPU})(?:-(\\w+))?$`);
const LIBC: Readonly<Record<string, string>> = { musl: "musl", gnu: "glibc" };

const file = "package-lock.json";
const lock = JSON.parse(readFileSync(file, "utf8")) as { packages: Record<string, Entry> };
const missing: Record<string, Entry> = {};

for (const [at, entry] of Object.entries(lock.packages)) {
  if (!at.startsWith("node_modules/")) continue;
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const key = `node_modules/${name}`;
    const [, os, cpu, abi = ""] = PLATFORM.exec(name) ?? [];
    const known = key in lock.packages || `${at}/${key}` in lock.packages;
    if (known || os === undefined || !/^\d+\.\d+\.\d+/.test(version)) continue;
    const libc = os === "linux" ? LIBC[abi] : undefined;
    missing[key] = {
      version,
      cpu: [cpu],
      os: [os],
      optional: true,
      ...(entry.dev === true ? { dev: true } : {}),
      ...(libc === undefined ? {} : { libc: [libc] }),
      ...(entry.engines === undefined ? {} : { engines: entry.engines }),
    };
  }
}

const [root, ...rest] = Object.entries({ ...lock.packages, ...missing });
if (root === undefined) throw new Error(`${file} has no packages`);
lock.packages = Object.fromEntries([
  root,
  ...rest.toSorted(([a], [b]) => a.localeCompare(b, "en")),
]);
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
console.log(`${Object.keys(missing).length} entries added to ${file}`);

// A process of its own that makes a closed load on a server: to tell what one process can make from
// what the server can take. Ends when its standard input closes. Plain JavaScript outside src,
// because it is a program of its own that Node must run as it stands.
//
//   reads  {"url", "callers", "size", "sql"}   first: a pool of `size` connections, opened at once
//   writes {"ready": true}
//   reads  {"forMs"}                           callers ask one after the other for so long
//   writes {"requests", "tookMs", "cpuMs", "waits"}
//   writes {"failed": message}                 and ends, when anything fails

import { createInterface } from "node:readline";
import { openPostgres } from "forebay/postgres";

function report(message) {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

async function open({ url, size }) {
  const db = openPostgres(url, { maxOpenConns: size, maxIdleConns: size });
  await db.warmUp(size);
  return db;
}

async function load(db, { callers, sql }, forMs) {
  const cpuBefore = process.cpuUsage();
  const { waitCount } = db.stats();
  const begunMs = performance.now();
  let requests = 0;
  const caller = async () => {
    while (performance.now() - begunMs < forMs) {
      await db.query(sql);
      requests++;
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  const tookMs = performance.now() - begunMs;
  const { user, system } = process.cpuUsage(cpuBefore);
  const cpuMs = (user + system) / 1000;
  report({ requests, tookMs, cpuMs, waits: db.stats().waitCount - waitCount });
}

let db;
let settings;
try {
  for await (const line of createInterface({ input: process.stdin })) {
    const order = JSON.parse(line);
    if ("forMs" in order) {
      await load(db, settings, order.forMs);
    } else {
      settings = order;
      db = await open(settings);
      report({ ready: true });
    }
  }
  await db?.close();
} catch (error) {
  report({ failed: error instanceof Error ? error.message : String(error) });
  process.exitCode = 1;
  process.stdin.destroy();
  await db?.close({ drainTimeoutMs: 0 });
}

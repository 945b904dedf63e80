// A worker thread that reads a gauge which the main thread keeps in shared memory, or asks the main
// thread for it. Plain JavaScript outside src, because Node must run it as it stands.
//
//   workerData {"shared"}       16 bytes: an Int32, the gauge; at 8 a BigInt64, when it was sampled,
//                               by process.hrtime.bigint(), which all threads share
//   takes   {"read": times}     gives {"ns"}: what one read takes
//           {"watch": times}    gives {"agesMs"}: how old the gauge was at each look
//           {"ask": times}      asks {"ask": true} each time and waits for any message; gives
//                               {"tookMs"}: how long each took

import { once } from "node:events";
import { parentPort, workerData } from "node:worker_threads";

const gauge = new Int32Array(workerData.shared, 0, 1);
const sampledAtNs = new BigInt64Array(workerData.shared, 8, 1);
const never = new Int32Array(new SharedArrayBuffer(4));

const NS_IN_MS = 1e6;
/** Between two looks so long at least and at most, in milliseconds. */
const LOOK_AFTER = [2, 6];

function nowNs() {
  return process.hrtime.bigint();
}

function read(times) {
  let sum = 0;
  const begunNs = nowNs();
  for (let index = 0; index < times; index++) sum += Atomics.load(gauge, 0);
  const ns = Number(nowNs() - begunNs) / times;
  return { ns, sum };
}

function watch(times) {
  const [least, most] = LOOK_AFTER;
  const agesMs = [];
  for (let look = 0; look < times; look++) {
    Atomics.wait(never, 0, 0, least + Math.random() * (most - least));
    agesMs.push(Number(nowNs() - Atomics.load(sampledAtNs, 0)) / NS_IN_MS);
  }
  return { agesMs };
}

async function ask(times) {
  const tookMs = [];
  for (let index = 0; index < times; index++) {
    const begunNs = nowNs();
    const answered = once(parentPort, "message");
    parentPort.postMessage({ ask: true });
    await answered;
    tookMs.push(Number(nowNs() - begunNs) / NS_IN_MS);
  }
  return { tookMs };
}

for (;;) {
  const [order] = await once(parentPort, "message");
  const done = order.read
    ? read(order.read)
    : order.watch
      ? watch(order.watch)
      : await ask(order.ask);
  parentPort.postMessage({ done });
}

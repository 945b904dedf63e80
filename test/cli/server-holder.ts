// A program that starts a server, says so, and then ends, or is ended, in the way its argument
// says.

import { startEmbedded } from "../../packages/forebay-cli/src/server/index.ts";

const how = process.argv[2];
await startEmbedded({
  onProgress: (step) => process.stdout.write(`${step}\n`),
  settings: { shared_buffers: "16MB" },
});
process.stdout.write("server started\n");

if (how === "exit") process.exit(3);
else if (how === "throw") throw new Error("thrown on purpose");
if (how !== "return") setInterval(() => undefined, 60_000);

// Which version of the protocol a session speaks once it has begun.

import { expect, test } from "vitest";
import { MessageReader } from "../../../../packages/forebay/src/postgres/wire/proto/reader.ts";
import { Startup } from "../../../../packages/forebay/src/postgres/wire/startup.ts";
import { int32, message, welcome } from "./messages.ts";

/** What the session speaks when the server says this before it lets the client in. */
function spoken(asked: number, ...said: readonly Buffer[]): string[] {
  const versions: string[] = [];
  const startup = new Startup(
    {
      user: "app",
      password: undefined,
      parameters: new Map([["user", "app"]]),
      channelBinding: "prefer",
      protocolMinors: { min: 0, max: asked },
      encrypted: false,
      endPoint: undefined,
      nonce: "abc",
    },
    {
      send: () => {},
      derive: () => {},
      notice: () => {},
      ready: ({ protocolVersion }) => versions.push(protocolVersion),
    },
  );
  startup.begin();
  new MessageReader(startup, 1 << 16).push(Buffer.concat([...said, welcome()]));
  return versions;
}

const lowered = message("v", int32(0x30000), int32(0));

test("is what was asked for, unless the server chooses an older one", () => {
  expect(spoken(0)).toEqual(["3.0"]);
  expect(spoken(2)).toEqual(["3.2"]);
  expect(spoken(2, lowered)).toEqual(["3.0"]);
  expect(spoken(0, lowered)).toEqual(["3.0"]);
});

test("is chosen once, and before anything else is said", () => {
  expect(() => spoken(2, message("R", int32(0)), lowered)).toThrow("out of turn");
});

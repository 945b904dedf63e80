// The records of conversations: test/golden/pg<major>/<name>.json. What the server sent stands
// there twice: as bytes in base64, and taken apart, to be read.

import { readdirSync, readFileSync } from "node:fs";
import type { Decoded } from "./decode.ts";

/** What the client sent in between, by name, and what the server then sent. */
export interface Flight {
  readonly client: string;
  readonly server: Buffer;
}

/** With what a session was begun: what its side of a startup follows from. */
export interface Opening {
  readonly user: string;
  readonly password?: string;
  /** The nonce of SCRAM. */
  readonly nonce?: string;
  /** The minor version of the protocol that was asked for. */
  readonly minor: number;
}

/** One record. */
export interface Golden {
  readonly name: string;
  readonly about: string;
  /** The version of the server. */
  readonly server: string;
  /** Present for the beginning of a session; the others begin after it. */
  readonly opening?: Opening;
  readonly flights: readonly Flight[];
  readonly messages: readonly Decoded[];
}

const LINE_LETTERS = 92;
const FOLDER = new URL("./", import.meta.url);

/** The record as the text of its file: a message a line. */
export function goldenText({ flights, messages, ...head }: Golden): string {
  const first = Object.entries(head).map(
    ([key, value]) => `  ${JSON.stringify(key)}: ${JSON.stringify(value)},\n`,
  );
  const flightTexts = flights.map(({ client, server }) => {
    const lines = server.toString("base64").match(new RegExp(`.{1,${LINE_LETTERS}}`, "g")) ?? [];
    const bytes = lines.map((line) => `      "${line}"`).join(",\n");
    return `    { "client": ${JSON.stringify(client)}, "server": [\n${bytes}\n    ] }`;
  });
  const messageTexts = messages.map((message) => `    ${JSON.stringify(message)}`);
  return (
    `{\n${first.join("")}  "flights": [\n${flightTexts.join(",\n")}\n  ],\n` +
    `  "messages": [\n${messageTexts.join(",\n")}\n  ]\n}\n`
  );
}

/** Every record of one major version, or of all. */
export function readGolden(major?: number): (Golden & { readonly file: string })[] {
  const folders = readdirSync(FOLDER).filter((name) =>
    major === undefined ? /^pg\d+$/u.test(name) : name === `pg${major}`,
  );
  return folders.flatMap((folder) =>
    readdirSync(new URL(`${folder}/`, FOLDER)).map((name) => {
      const text = readFileSync(new URL(`${folder}/${name}`, FOLDER), "utf8");
      const golden = JSON.parse(text) as Omit<Golden, "flights"> & {
        readonly flights: readonly { readonly client: string; readonly server: string[] }[];
      };
      const flights = golden.flights.map(({ client, server }) => ({
        client,
        server: Buffer.from(server.join(""), "base64"),
      }));
      return { ...golden, flights, file: `${folder}/${name}` };
    }),
  );
}

/** All that the server sent. */
export function streamOf(golden: Golden): Buffer {
  return Buffer.concat(golden.flights.map((flight) => flight.server));
}

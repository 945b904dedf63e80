// A network between the lab and its server: what a connection must be told to go through a proxy.

import type { PostgresOptions } from "forebay/postgres";
import { type LabServer, type ScenarioContext, ScenarioNotPossible } from "./scenario.ts";
import { type ProxyTarget, TcpProxy } from "./tcp-proxy.ts";

/** Where the server listens. Throws `ScenarioNotPossible` when that is not over TCP. */
export function targetOf(server: Pick<LabServer, "url">): ProxyTarget {
  const { hostname, port, searchParams } = new URL(server.url);
  const host = hostname.replaceAll(/^\[|\]$/g, "");
  const named = searchParams.get("host") ?? "";
  if (host === "" || named.startsWith("/") || host.startsWith("%2F")) {
    throw new ScenarioNotPossible("It needs a server that is reached over TCP, at one address.");
  }
  return { host, port: port === "" ? 5432 : Number(port) };
}

/** Opens a proxy in front of the lab's server, which is closed when the scenario ends. */
export async function openNetwork(context: ScenarioContext, delayMs: number): Promise<TcpProxy> {
  const proxy = await TcpProxy.open({ target: targetOf(context.server), delayMs });
  context.defer(() => proxy.close());
  return proxy;
}

/** Leads a connection through a proxy. The server's name, and so its certificate, stay. */
export function through(proxy: TcpProxy): PostgresOptions {
  return { hostAddr: proxy.host, port: proxy.port };
}

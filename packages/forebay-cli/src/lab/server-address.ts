// Where the lab's server listens, for scenarios that put something between it and a pool.

import type { PostgresOptions } from "forebay/postgres";
import { type ScenarioContext, ScenarioNotPossible } from "./scenario.ts";
import { type ProxyTarget, TcpProxy } from "./tcp-proxy.ts";

/**
 * Host and port of a connection URL. Throws `ScenarioNotPossible` where it does not name one
 * server that is reached over TCP.
 */
export function serverAddress(url: string): ProxyTarget {
  const refuse = (): never => {
    throw new ScenarioNotPossible(
      "This scenario puts a proxy in front of the server, for which it needs a URL with one host " +
        "and port, such as postgres://user@host:5432/database.",
    );
  };
  if (!URL.canParse(url)) return refuse();
  const { hostname, port, searchParams } = new URL(url);
  const host = decodeURIComponent(hostname).replace(/^\[|\]$/g, "");
  const names = ["host", "hostaddr", "port", "service"];
  if (host === "" || /[/,@]/.test(host) || names.some((name) => searchParams.has(name))) {
    return refuse();
  }
  return { host, port: port === "" ? 5432 : Number(port) };
}

/**
 * What a pool's connection has to differ in to go through a proxy on 127.0.0.1. The host's name
 * stays as it is: the server's certificate is for that.
 */
export function through(proxy: { readonly port: number }): PostgresOptions {
  return { hostAddr: "127.0.0.1", port: proxy.port };
}

/** Opens a proxy in front of the lab's server, which is closed when the scenario ends. */
export async function openNetwork(context: ScenarioContext, delayMs: number): Promise<TcpProxy> {
  const target = serverAddress(context.server.url);
  const proxy = await TcpProxy.open({ target, delayMs });
  context.defer(() => proxy.close());
  return proxy;
}

// A TCP proxy that makes a network: delay, cuts, silence, another server behind the same address.
//
// It runs in this process, on purpose. Faults can then be set between two steps of a scenario
// without waiting for anyone, and nothing is left when the process dies. The price is this
// process's time for each round trip (about 0.1 ms: four reads and writes), which counts into
// clientCpuMs and into the use of the event loop: compare arms that both go through a proxy, and
// measure what is bound by this process's CPU without one. On a machine of two cores a process of
// its own would take that time from the server instead, and show as somebody else's load.

import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { labClock, type LabClock } from "./clock.ts";
import { DelayLine } from "./delay-line.ts";

/** Where a proxy forwards to. */
export interface ProxyTarget {
  readonly host: string;
  readonly port: number;
}

/** How a proxy is set up. */
export interface TcpProxyOptions {
  readonly target: ProxyTarget;
  /**
   * Delay of each direction; a round trip takes twice that. 0, or at least 1: timers of Node have
   * steps of 1 ms, so that a delay is up to 1 ms longer than it says. @defaultValue 0
   */
  readonly delayMs?: number | undefined;
  /** @defaultValue the process's own */
  readonly clock?: LabClock | undefined;
}

/**
 * What happens to connections that come: they are forwarded, or accepted and never answered, or
 * accepted and reset. (An address where nobody accepts cannot be imitated from here.)
 */
export type Newcomers = "forward" | "swallow" | "reset";

/** How a connection is cut: in order, or with a reset. */
export type Cut = "fin" | "rst";

/** Bytes that may be on their way in one direction before their sender is held: as a window. */
const WINDOW_BYTES = 1 << 20;

const HOST = "127.0.0.1";

/** A TCP proxy on a free port of 127.0.0.1. */
export class TcpProxy {
  readonly host: string = HOST;
  /** What becomes of connections that come from now on. */
  newcomers: Newcomers = "forward";
  readonly #clock: LabClock;
  readonly #server: Server;
  readonly #links = new Set<Link>();
  #target: ProxyTarget;
  #delayMs: number;
  #acceptedCount = 0;

  /** Opens a proxy. The caller closes it. Rejects when no port is to be had. */
  static async open(options: TcpProxyOptions): Promise<TcpProxy> {
    const proxy = new TcpProxy(options);
    await new Promise<void>((resolve, reject) => {
      proxy.#server.once("error", reject);
      proxy.#server.listen(0, HOST, resolve);
    });
    return proxy;
  }

  private constructor(options: TcpProxyOptions) {
    this.#clock = options.clock ?? labClock;
    this.#target = options.target;
    this.#delayMs = asDelayMs(options.delayMs ?? 0);
    // A side that ends its sending may go on receiving.
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
      this.#accept(client);
    });
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Connections accepted so far. */
  get acceptedCount(): number {
    return this.#acceptedCount;
  }

  /** Connections that are there, swallowed ones included: those are until they are cut. */
  get openCount(): number {
    return this.#links.size;
  }

  /** Sets the delay of each direction, for what is sent from now on. */
  setDelayMs(delayMs: number): void {
    this.#delayMs = asDelayMs(delayMs);
  }

  /** Forwards connections to come to another server. Those that are there stay where they are. */
  setTarget(target: ProxyTarget): void {
    this.#target = target;
  }

  /**
   * Cuts all connections that are there, on both sides, at once: what is on its way is lost. Gives
   * their number.
   */
  cut(how: Cut): number {
    const links = [...this.#links];
    for (const link of links) link.cut(how);
    return links.length;
  }

  /**
   * From now on nothing passes on the connections that are there, in either direction, not even
   * that one side has gone: as behind a firewall that has forgotten them. Their system's TCP
   * notices nothing either, since the proxy's still confirms what it throws away. There is no way
   * back for them. Gives their number.
   */
  swallow(): number {
    const links = [...this.#links];
    for (const link of links) link.swallow();
    return links.length;
  }

  /** Cuts all connections and stops listening. No effect on a second call. Never rejects. */
  async close(): Promise<void> {
    this.cut("rst");
    if (!this.#server.listening) return;
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #accept(client: Socket): void {
    this.#acceptedCount++;
    if (this.newcomers === "reset") {
      client.on("error", () => undefined);
      client.resetAndDestroy();
      return;
    }
    const isSwallowed = this.newcomers === "swallow";
    const link = new Link({
      client,
      target: isSwallowed ? undefined : this.#target,
      clock: this.#clock,
      delayMs: () => this.#delayMs,
      onGone: () => this.#links.delete(link),
    });
    this.#links.add(link);
  }
}

function asDelayMs(delayMs: number): number {
  if (delayMs !== 0 && !(delayMs >= 1)) throw new RangeError("a delay is 0, or 1 ms or more");
  return delayMs;
}

interface LinkOptions {
  readonly client: Socket;
  /** Undefined for a connection that is never forwarded. */
  readonly target: ProxyTarget | undefined;
  readonly clock: LabClock;
  delayMs(): number;
  /** Called once, when both sockets are closed. */
  onGone(): void;
}

/** One connection through the proxy: two sockets, and a line in each direction. */
class Link {
  readonly #options: LinkOptions;
  readonly #sockets: readonly Socket[];
  readonly #lines: readonly DelayLine[];
  #isSilent = false;
  #open = 0;

  constructor(options: LinkOptions) {
    const { client, target, clock } = options;
    this.#options = options;
    this.#lines = [new DelayLine(clock), new DelayLine(clock)];
    if (target === undefined) {
      this.#sockets = [client];
      this.#watch(client);
      this.swallow();
      return;
    }
    const server = connect({ ...target, allowHalfOpen: true, noDelay: true });
    this.#sockets = [client, server];
    const [toServer, toClient] = this.#lines;
    if (toServer !== undefined) this.#forward(client, server, toServer);
    if (toClient !== undefined) this.#forward(server, client, toClient);
  }

  swallow(): void {
    this.#isSilent = true;
    for (const line of this.#lines) line.clear();
    for (const socket of this.#sockets) socket.resume();
  }

  cut(how: Cut): void {
    this.swallow();
    for (const socket of this.#sockets) {
      if (how === "rst") socket.resetAndDestroy();
      // Closed on both sides: what the peer still sends is answered with a reset.
      else socket.end(() => socket.destroy());
    }
  }

  #forward(from: Socket, to: Socket, line: DelayLine): void {
    let onTheirWayBytes = 0;
    const put = (deliver: () => void): void => {
      if (!this.#isSilent) line.put(this.#options.delayMs(), deliver);
    };
    this.#watch(from);
    from.on("data", (chunk: Buffer) => {
      if (this.#isSilent) return;
      onTheirWayBytes += chunk.length;
      if (onTheirWayBytes > WINDOW_BYTES) from.pause();
      put(() =>
        to.write(chunk, () => {
          onTheirWayBytes -= chunk.length;
          if (onTheirWayBytes <= WINDOW_BYTES && from.isPaused()) from.resume();
        }),
      );
    });
    from.on("end", () => put(() => to.end()));
    from.on("close", (hadError) => {
      if (hadError) put(() => to.resetAndDestroy());
    });
  }

  #watch(socket: Socket): void {
    this.#open++;
    // What an error means for the other side is told by "close".
    socket.on("error", () => undefined);
    socket.on("close", () => {
      if (--this.#open === 0) this.#options.onGone();
    });
  }
}

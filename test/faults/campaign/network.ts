import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** The direction of bytes: `calls` from client to server, `answers` from server to client. */
export type Direction = 'calls' | 'answers';

/** A proxy between clients and servers that imitates a bad network. */
export interface Network {
  port: number;
  /** Cuts every connection. */
  cut(): void;
  /** Cuts each connection in the middle of its next answer. */
  cutInAnswer(): void;
  /** Delays the bytes in this direction; 0 ms ends the delay. */
  delay(direction: Direction, ms: number): void;
  /** Holds the bytes in this direction until `release`. */
  withhold(direction: Direction): void;
  release(): void;
  /** From now on, open connections carry nothing but stay open; new connections work. */
  abandon(): void;
  stop(): Promise<void>;
}

/** Bytes that a connection holds before it stops reading from the sender. */
const MAX_HELD = 4 * 1024 * 1024;

interface Weather {
  delay: Record<Direction, number>;
  withheld: Record<Direction, boolean>;
}

/** One direction of one connection. */
class Lane {
  private readonly queue: Array<{ chunk: Buffer; due: number }> = [];
  private held = 0;
  private timer: NodeJS.Timeout | undefined;
  private ended = false;
  abandoned = false;
  cutNext = false;

  constructor(
    readonly direction: Direction,
    private readonly from: Socket,
    private readonly to: Socket,
    private readonly weather: Weather,
  ) {
    from.on('data', (chunk: Buffer) => this.take(chunk));
    from.on('end', () => {
      this.ended = true;
      this.pump();
    });
    to.on('drain', () => this.pump());
  }

  private take(chunk: Buffer): void {
    if (this.cutNext) {
      this.to.write(chunk.subarray(0, Math.floor(chunk.length / 2)), () => this.to.destroy());
      this.from.destroy();
      return;
    }
    this.queue.push({ chunk, due: Date.now() + this.weather.delay[this.direction] });
    this.held += chunk.length;
    if (this.held > MAX_HELD) this.from.pause();
    this.pump();
  }

  pump(): void {
    clearTimeout(this.timer);
    while (this.queue.length > 0) {
      if (this.abandoned || this.weather.withheld[this.direction] || this.to.destroyed) return;
      if (this.to.writableNeedDrain) return;
      const wait = this.queue[0]!.due - Date.now();
      if (wait > 0) {
        this.timer = setTimeout(() => this.pump(), wait);
        return;
      }
      const { chunk } = this.queue.shift()!;
      this.held -= chunk.length;
      this.to.write(chunk);
    }
    if (this.from.isPaused()) this.from.resume();
    if (this.ended && !this.abandoned && !this.weather.withheld[this.direction]) this.to.end();
  }

  stop(): void {
    clearTimeout(this.timer);
    this.queue.length = 0;
  }
}

/**
 * Starts a proxy.
 * @param targets ports of the servers, used in turn; a server that refuses is skipped
 */
export async function startNetwork(targets: () => readonly number[]): Promise<Network> {
  const weather: Weather = {
    delay: { calls: 0, answers: 0 },
    withheld: { calls: false, answers: false },
  };
  const sockets = new Set<Socket>();
  const lanes = new Set<Lane>();
  let turn = 0;

  const server = createServer({ allowHalfOpen: true }, (near) => {
    sockets.add(near);
    near.on('error', () => {});
    near.on('close', () => sockets.delete(near));
    const ports = targets();
    const start = turn++;
    reach(0);

    function reach(tried: number): void {
      if (near.destroyed) return;
      if (tried >= ports.length) return void near.destroy();
      const far = connect({
        port: ports[(start + tried) % ports.length]!,
        host: '127.0.0.1',
        allowHalfOpen: true,
      });
      sockets.add(far);
      let connected = false;
      far.on('error', () => {
        if (!connected) reach(tried + 1);
      });
      far.on('close', () => {
        sockets.delete(far);
        if (connected) near.destroy();
      });
      near.on('close', () => far.destroy());
      far.on('connect', () => {
        connected = true;
        const both = [new Lane('calls', near, far, weather), new Lane('answers', far, near, weather)];
        for (const socket of [near, far]) socket.setNoDelay(true);
        for (const lane of both) lanes.add(lane);
        far.on('close', () => {
          for (const lane of both) {
            lane.stop();
            lanes.delete(lane);
          }
        });
      });
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');

  const pump = (): void => {
    for (const lane of lanes) lane.pump();
  };
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    cut,
    cutInAnswer() {
      for (const lane of lanes) if (lane.direction === 'answers') lane.cutNext = true;
    },
    delay(direction, ms) {
      weather.delay[direction] = ms;
    },
    withhold(direction) {
      weather.withheld[direction] = true;
    },
    release() {
      weather.withheld.calls = weather.withheld.answers = false;
      pump();
    },
    abandon() {
      for (const lane of lanes) lane.abandoned = true;
    },
    async stop() {
      cut();
      server.close();
      await once(server, 'close');
    },
  };
}

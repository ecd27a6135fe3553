import { connect, type Socket } from 'node:net';

/** A viewer that reconnects as an `EventSource` does, and checks that the numbers it gets follow one another. */
export class CountingViewer {
  /** The last number; 0 before the first. */
  last = 0;
  /** What was wrong, in words. */
  readonly faults: string[] = [];
  connections = 0;
  private retryMs = 1000;
  private lastEventId = '';
  private socket: Socket | undefined;
  private timer: NodeJS.Timeout | undefined;
  private closed = false;

  /** @param url a stream whose events have the data `{"n":<number>}` */
  constructor(private readonly url: URL) {
    this.open();
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
    this.socket?.destroy();
  }

  private open(): void {
    const { hostname, port, host, pathname, search } = this.url;
    const socket = connect(Number(port), hostname);
    this.socket = socket;
    const lastEventId = this.lastEventId && `Last-Event-ID: ${this.lastEventId}\r\n`;
    socket.write(
      `GET ${pathname}${search} HTTP/1.1\r\nHost: ${host}\r\nAccept: text/event-stream\r\n${lastEventId}\r\n`,
    );
    let rest = '';
    let id = '';
    socket.setEncoding('latin1').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop()!;
      for (const line of lines) {
        if (line.startsWith('HTTP/1.1 ')) this.begun(line);
        else if (line.startsWith('retry: ')) this.retryMs = Number(line.slice('retry: '.length));
        else if (line.startsWith('id: ')) id = line.slice('id: '.length);
        else if (line.startsWith('event: reset')) this.faults.push(`reset after ${this.last}`);
        else if (line.startsWith('data: ')) {
          this.lastEventId = id;
          this.count(line.slice('data: '.length));
        }
      }
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      if (!this.closed) this.timer = setTimeout(() => this.open(), this.retryMs);
    });
  }

  private begun(status: string): void {
    this.connections++;
    if (!status.startsWith('HTTP/1.1 200')) this.faults.push(status);
  }

  private count(data: string): void {
    const { n } = JSON.parse(data) as { n: number };
    if (this.last !== 0 && n !== this.last + 1) this.faults.push(`${n} after ${this.last}`);
    this.last = n;
  }
}

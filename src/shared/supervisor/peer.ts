import { setTimeout as sleep } from 'node:timers/promises';

/** The part of a process, or of a child process, that carries messages. */
export interface Channel {
  readonly connected: boolean;
  send?(message: object, sent: (error: Error | null) => void): unknown;
  on(event: 'message', listener: (message: unknown) => void): unknown;
}

/** Answers to the requests of the other side, by name. */
export type Answers = Record<string, (data: unknown) => unknown>;

interface Request {
  request: string;
  id: number;
  data?: unknown;
}
interface Reply {
  reply: number;
  data?: unknown;
}

/** Requests and replies over the IPC channel of a supervisor and one of its processes. Other messages are left alone. */
export class Peer {
  private readonly waiting = new Map<number, (data: unknown) => void>();
  private lastId = 0;

  constructor(
    private readonly channel: Channel,
    answers: Answers,
  ) {
    channel.on('message', (message) => {
      if (typeof message !== 'object' || message === null) return;
      if ('request' in message) void this.answer(message as Request, answers);
      else if ('reply' in message) this.settle(message as Reply);
    });
  }

  /**
   * Sends a request. Resolves to the reply; to `undefined` if the other side has no answer, does not answer within `timeoutMs`,
   * or is gone.
   */
  async ask(request: string, data: unknown, timeoutMs: number): Promise<unknown> {
    const id = ++this.lastId;
    const reply = new Promise<unknown>((resolve) => this.waiting.set(id, resolve));
    this.send({ request, id, data }, () => this.settle({ reply: id }));
    const late = new AbortController();
    const answer = await Promise.race([
      reply,
      sleep(timeoutMs, undefined, { ref: false, signal: late.signal }).catch(() => undefined),
    ]);
    late.abort();
    this.waiting.delete(id);
    return answer;
  }

  private settle({ reply, data }: Reply): void {
    this.waiting.get(reply)?.(data);
  }

  private async answer({ request, id, data }: Request, answers: Answers): Promise<void> {
    let answer: unknown;
    try {
      answer = await answers[request]?.(data);
    } catch {
      // The other side gets no data, as from a process that has gone.
    }
    this.send({ reply: id, data: answer });
  }

  private send(message: Request | Reply, failed: () => void = () => {}): void {
    if (!this.channel.connected) return failed();
    // With a callback, a channel that is being closed emits no 'error'.
    this.channel.send?.(message, (error) => error && failed());
  }
}

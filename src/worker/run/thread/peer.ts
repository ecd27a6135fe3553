import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { type PackedError, packError, unpackError } from './errors.js';

/** What one side of a port can be asked to do, by name. Arguments and results must survive structured clone. */
export type Offered = Record<string, (...args: never[]) => unknown>;

/** The other side of a port. */
export interface Peer {
  /** Asks for something and waits for what comes of it. */
  call(name: string, ...args: unknown[]): Promise<unknown>;
  /** Asks for something, no matter what comes of it. */
  tell(name: string, ...args: unknown[]): void;
  /** Does what has been asked for until now, at once: for code that does not yield. */
  receive(): void;
  /** Hears and says nothing more; what was still to come of calls is an error. */
  close(): void;
}

type Message =
  | { name: string; args: never[]; id?: number }
  | { reply: number; value: unknown }
  | { reply: number; error: PackedError };

/** Connects the two sides of a message channel. Messages are handled in order, each begun when it comes. */
export function openPeer(port: MessagePort, offered: Offered): Peer {
  const calls = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  let lastId = 0;
  let closed = false;

  function handle(message: Message): void {
    if ('reply' in message) {
      const call = calls.get(message.reply);
      calls.delete(message.reply);
      if ('error' in message) call?.reject(unpackError(message.error));
      else call?.resolve(message.value);
      return;
    }
    const { name, args, id } = message;
    if (id === undefined) offered[name]?.(...args);
    else void answer(id, name, args);
  }

  async function answer(id: number, name: string, args: never[]): Promise<void> {
    try {
      const asked = offered[name];
      if (!asked) throw new Error(`nothing here is named "${name}"`);
      port.postMessage({ reply: id, value: await asked(...args) } satisfies Message);
    } catch (error) {
      port.postMessage({ reply: id, error: packError(error) } satisfies Message);
    }
  }

  port.on('message', handle);
  port.on('close', () => {
    closed = true;
    for (const { reject } of calls.values()) reject(gone());
    calls.clear();
  });
  return {
    async call(name, ...args) {
      if (closed) throw gone();
      const id = ++lastId;
      // What cannot be cloned throws here.
      port.postMessage({ name, args, id });
      return new Promise((resolve, reject) => calls.set(id, { resolve, reject }));
    },
    tell(name, ...args) {
      if (!closed) port.postMessage({ name, args });
    },
    receive() {
      // To read from a port whose close event is being handled ends the process (SIGSEGV, Node 20).
      while (!closed) {
        const received = receiveMessageOnPort(port);
        if (!received) return;
        handle(received.message);
      }
    },
    close: () => port.close(),
  };
}

const gone = (): Error => new Error('the other thread no longer listens');

import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { type PackedError, packError, unpackError } from './errors.js';

/** The functions that the other side of a port may call, by name. Arguments and results must be cloneable. */
export type Handlers = Record<string, (...args: never[]) => unknown>;

/** The other side of a port. */
export interface Peer {
  /** Calls a handler of the other side and resolves with its result. */
  call(name: string, ...args: unknown[]): Promise<unknown>;
  /** Calls a handler of the other side without waiting for a result. */
  notify(name: string, ...args: unknown[]): void;
  /** Handles the messages received so far, at once: for code that does not yield to the event loop. */
  receive(): void;
  /** Closes the port. Pending calls reject. */
  close(): void;
}

type Message =
  | { name: string; args: never[]; id?: number }
  | { reply: number; value: unknown }
  | { reply: number; error: PackedError };

/** Opens one side of a message channel. Messages are handled in order of arrival, without waiting for the one before. */
export function openPeer(port: MessagePort, handlers: Handlers): Peer {
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
    if (id === undefined) handlers[name]?.(...args);
    else void answer(id, name, args);
  }

  async function answer(id: number, name: string, args: never[]): Promise<void> {
    try {
      const handler = handlers[name];
      if (!handler) throw new Error(`unknown call "${name}"`);
      port.postMessage({ reply: id, value: await handler(...args) } satisfies Message);
    } catch (error) {
      port.postMessage({ reply: id, error: packError(error) } satisfies Message);
    }
  }

  port.on('message', handle);
  port.on('close', () => {
    closed = true;
    for (const { reject } of calls.values()) reject(closedError());
    calls.clear();
  });
  return {
    async call(name, ...args) {
      if (closed) throw closedError();
      const id = ++lastId;
      // Throws if an argument cannot be cloned.
      port.postMessage({ name, args, id });
      return new Promise((resolve, reject) => calls.set(id, { resolve, reject }));
    },
    notify(name, ...args) {
      if (!closed) port.postMessage({ name, args });
    },
    receive() {
      // Reading from a port during its close event crashes the process (SIGSEGV, Node 20).
      while (!closed) {
        const received = receiveMessageOnPort(port);
        if (!received) return;
        handle(received.message);
      }
    },
    close: () => port.close(),
  };
}

const closedError = (): Error => new Error('the other thread has closed its port');

import type { ServerResponse } from 'node:http';

const listeners = Symbol('listeners for the answer');
type Listened = ServerResponse & { [listeners]?: Array<() => void> | undefined };

/** Calls a listener once, when a request is answered, when its stream is opened, or when the client has left before. */
export function onAnswered(res: ServerResponse, listener: () => void): void {
  const response: Listened = res;
  if (response[listeners]) return void response[listeners].push(listener);
  response[listeners] = [listener];
  res.once('close', onClose);
}

/** Reports that the stream of a request is open: its response never closes if the socket is detached from it. */
export function noteAnswered(res: ServerResponse): void {
  const response: Listened = res;
  const waiting = response[listeners];
  response[listeners] = undefined;
  for (const listener of waiting ?? []) listener();
}

function onClose(this: ServerResponse): void {
  noteAnswered(this);
}

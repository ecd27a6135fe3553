import { createParser } from 'eventsource-parser';

/** The answer was no stream. */
export class NoStream extends Error {
  override name = 'NoStream';
  constructor(readonly status: number) {
    super(`the service answered ${status}`);
  }
}

/**
 * Reads a stream of events until it ends or is aborted. Unlike `EventSource` it says why there is none.
 * @throws NoStream, or what `fetch` throws
 */
export async function readStream(
  url: string,
  signal: AbortSignal,
  onEvent: (event: string, data: string) => void,
): Promise<void> {
  const response = await fetch(url, { headers: { Accept: 'text/event-stream' }, cache: 'no-store', signal });
  if (!response.ok || !response.body) throw new NoStream(response.status);
  const parser = createParser({ onEvent: ({ event = 'message', data }) => onEvent(event, data) });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    parser.feed(value);
  }
}

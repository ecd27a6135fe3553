import { createParser } from 'eventsource-parser';

/** The response was not a stream. */
export class StreamRefusedError extends Error {
  override readonly name = 'StreamRefusedError';

  constructor(
    readonly status: number,
    /** When to try again, in ms, as the service says. */
    readonly retryAfterMs = 0,
  ) {
    super(`The service responded with ${status}`);
  }
}

/**
 * Reads an event stream until it ends or is aborted. Unlike `EventSource`, it reports why a stream was refused.
 * @throws StreamRefusedError, or the error of `fetch`
 */
export async function readStream(
  url: string,
  signal: AbortSignal,
  onEvent: (event: string, data: string) => void,
): Promise<void> {
  const response = await fetch(url, { headers: { Accept: 'text/event-stream' }, cache: 'no-store', signal });
  if (!response.ok || !response.body) {
    throw new StreamRefusedError(
      response.status,
      1000 * Number(response.headers.get('Retry-After') ?? 0) || 0,
    );
  }
  const parser = createParser({ onEvent: ({ event = 'message', data }) => onEvent(event, data) });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    parser.feed(value);
  }
}

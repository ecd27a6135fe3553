import { randomBytes } from 'node:crypto';
import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Answer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: the responses are typed where they are read
  body: any;
}

/** Makes one HTTP call on a new connection. @param options.content the bytes to send instead of a JSON body */
export function call(
  url: string,
  {
    method = 'GET',
    token,
    body,
    content,
    key,
  }: { method?: string; token?: string; body?: unknown; content?: Buffer; key?: string } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = content ?? (body === undefined ? undefined : Buffer.from(JSON.stringify(body)));
    const type = content ? 'application/octet-stream' : 'application/json';
    const req = request(url, {
      method,
      agent: false,
      timeout: 15_000,
      headers: {
        ...(sent === undefined ? {} : { 'Content-Type': type, 'Content-Length': sent.length }),
        ...(token ? { Authorization: `Bearer ${token}` } : {}),
        ...(key ? { 'Idempotency-Key': key } : {}),
      },
    });
    req.on('timeout', () => req.destroy(new Error('no answer')));
    req.on('error', reject);
    req.on('response', (res) => {
      let answer = '';
      res.setEncoding('utf8').on('data', (piece: string) => (answer += piece));
      res.on('error', reject);
      res.on('end', () => {
        try {
          resolve({ status: res.statusCode!, body: answer === '' ? undefined : JSON.parse(answer) });
        } catch (error) {
          reject(error);
        }
      });
    });
    req.end(sent);
  });
}

/** Whether a call should be repeated after this response, such as a 409 for a key that is in use at this moment. */
const isPassing = ({ status, body }: Answer): boolean =>
  status >= 500 || status === 429 || (status === 409 && body?.code === 'idempotency-in-progress');

/**
 * Repeats a call, with the same body and key, until there is a final response.
 * @throws Error if the signal is aborted first
 */
export async function callUntilAnswered(
  url: string,
  options: Parameters<typeof call>[1],
  signal: AbortSignal,
): Promise<Answer> {
  for (;;) {
    signal.throwIfAborted();
    const answer = await call(url, options).catch(() => undefined);
    if (answer && !isPassing(answer)) return answer;
    await sleep(200, undefined, { signal });
  }
}

export const newKey = (): string => `campaign-${randomBytes(12).toString('hex')}`;

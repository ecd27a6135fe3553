import { once } from 'node:events';
import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';

/** Requests that are sent one after another on one kept connection. */
export interface Load {
  /** The bodies of the answers with the expected status. */
  readonly answers: string[];
  /** The other answers, and errors. */
  readonly failures: unknown[];
  /** Ends the load. Resolves to the number of requests. */
  stop(): Promise<number>;
}

/**
 * Starts to send requests.
 * @param body makes the JSON body of the nth request, from 1; without it, the requests are GET
 */
export function startLoad(
  url: string,
  status: number,
  { body, pauseMs = 250 }: { body?: (n: number) => unknown; pauseMs?: number } = {},
): Load {
  const { Agent } = url.startsWith('https:') ? https : http;
  // The proxies of the tests have certificates of their own.
  const agent = new Agent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false });
  const answers: string[] = [];
  const failures: unknown[] = [];
  let loading = true;
  const loop = (async () => {
    let n = 0;
    while (loading) {
      n++;
      const answer = await ask(agent, url, body?.(n));
      if (answer.status === status) answers.push(answer.text);
      else failures.push([url, n, answer]);
      await sleep(pauseMs);
    }
    agent.destroy();
    return n;
  })();
  return {
    answers,
    failures,
    stop() {
      loading = false;
      return loop;
    },
  };
}

/** Sends one request. Resolves to its answer, or to the error's code as the status. */
async function ask(
  agent: http.Agent,
  url: string,
  body: unknown,
): Promise<{ status: unknown; text: string }> {
  const headers = { 'Content-Type': 'application/json' };
  const { request } = url.startsWith('https:') ? https : http;
  const sent = request(url, { agent, ...(body === undefined ? {} : { method: 'POST', headers }) });
  sent.end(body === undefined ? undefined : JSON.stringify(body));
  try {
    const [answer] = (await once(sent, 'response')) as [IncomingMessage];
    let text = '';
    answer.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    await once(answer, 'end');
    return { status: answer.statusCode, text };
  } catch (error) {
    return { status: (error as NodeJS.ErrnoException).code ?? String(error), text: '' };
  }
}

import { lookup } from 'node:dns';
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { LookupFunction } from 'node:net';
import { PermanentError } from '../../shared/errors.js';
import { addressRefusal, urlRefusal, type WebhookPolicy } from '../../shared/webhooks/target.js';

/** How much of an answer is read before its connection is cut, in bytes. All of it is thrown away. */
const MAX_ANSWER_BYTES = 64 * 1024;

export interface PostOptions {
  url: string;
  headers: Record<string, string>;
  body: string;
  policy: WebhookPolicy;
  /** From the beginning to the head of the answer, in ms. */
  timeoutMs: number;
  signal: AbortSignal;
  /** Asks for the addresses of a host. Default: that of the system. */
  resolve?: typeof lookup;
}

/**
 * Makes one call that goes nowhere but where the policy allows: the host's addresses are checked when the connection is
 * made, and one of those that were checked is connected to; a redirect is not followed.
 * @returns the status of the answer
 * @throws PermanentError where the policy does not allow it; Error when there is no answer. Messages name no address
 */
export async function post(options: PostOptions): Promise<number> {
  const { url: text, headers, body, policy, timeoutMs, signal } = options;
  const refusal = urlRefusal(text, policy);
  if (refusal) throw new PermanentError(`the address ${refusal}`);
  const url = new URL(text);
  signal.throwIfAborted();
  return new Promise<number>((resolve, reject) => {
    const request = (url.protocol === 'https:' ? requestHttps : requestHttp)(url, {
      method: 'POST',
      headers: { ...headers, 'Content-Length': Buffer.byteLength(body) },
      lookup: checkedLookup(url.protocol, policy, options.resolve ?? lookup),
      // A connection for each call: one that was kept would be one that is not checked. And no proxy.
      agent: false,
      rejectUnauthorized: true,
    });
    const late = setTimeout(
      () => request.destroy(new Error(`there was no answer within ${timeoutMs} ms`)),
      timeoutMs,
    );
    const stop = (): void => void request.destroy(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    request.once('close', () => {
      clearTimeout(late);
      signal.removeEventListener('abort', stop);
      reject(new Error('the connection was closed without an answer'));
    });
    request.on('error', (error) => reject(explained(error)));
    request.once('response', (response) => {
      resolve(response.statusCode!);
      let read = 0;
      response.on('data', (chunk: Buffer) => {
        read += chunk.length;
        if (read > MAX_ANSWER_BYTES) request.destroy();
      });
      // The status has come: whatever becomes of the rest does not matter.
      response.on('error', () => {});
    });
    request.end(body);
  });
}

/** Asks for a host's addresses and refuses all of them when one is not allowed. */
function checkedLookup(protocol: string, policy: WebhookPolicy, resolve: typeof lookup): LookupFunction {
  return (host, options, callback) => {
    resolve(host, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, []);
      for (const { address } of addresses) {
        const refusal = addressRefusal(address, protocol, policy);
        if (refusal) return callback(new PermanentError(`the address cannot be called: ${refusal}`), []);
      }
      const [first] = addresses;
      if (options.all || !first) callback(null, addresses);
      else callback(null, first.address, first.family);
    });
  };
}

/** An error of the network by its code: its message may name addresses, which are no business of who started the job. */
function explained(error: NodeJS.ErrnoException): Error {
  return error.code ? new Error(`the receiver could not be reached: ${error.code}`) : error;
}

import { lookup } from 'node:dns';
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { LookupFunction } from 'node:net';
import { PermanentError } from '../../shared/errors.js';
import { addressRefusal, urlRefusal, type WebhookPolicy } from '../../shared/webhooks/target.js';

/** Maximum number of bytes to read of a response before the connection is closed. The body is discarded. */
const MAX_ANSWER_BYTES = 64 * 1024;

export interface PostOptions {
  url: string;
  headers: Record<string, string>;
  body: string;
  policy: WebhookPolicy;
  /** Time limit until the response headers arrive, in ms. */
  timeoutMs: number;
  signal: AbortSignal;
  /** Looks up the addresses of a host. Defaults to `dns.lookup`. */
  resolve?: typeof lookup;
}

/**
 * Sends one POST request, only to addresses that the policy allows. The addresses of the host are checked when the
 * connection is made, and the connection goes to one of the checked addresses. Redirects are not followed.
 * @returns the HTTP status of the response
 * @throws PermanentError if the policy does not allow the address
 * @throws Error if there is no response. Messages contain no address
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
      // A new connection for each call: the address of a reused one would not be checked. Also avoids proxies.
      agent: false,
      rejectUnauthorized: true,
    });
    const timer = setTimeout(
      () => request.destroy(new Error(`no response within ${timeoutMs} ms`)),
      timeoutMs,
    );
    const stop = (): void => void request.destroy(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    request.once('close', () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
      reject(new Error('the connection was closed without a response'));
    });
    request.on('error', (error) => reject(explained(error)));
    request.once('response', (response) => {
      resolve(response.statusCode ?? 0);
      let read = 0;
      response.on('data', (chunk: Buffer) => {
        read += chunk.length;
        if (read > MAX_ANSWER_BYTES) request.destroy();
      });
      // The status is known; errors in the rest of the response do not matter.
      response.on('error', () => {});
    });
    request.end(body);
  });
}

/** Looks up the addresses of a host and rejects all of them if one is not allowed. */
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

/** Reduces a network error to its code: its message may contain addresses, which the owner of the job must not see. */
function explained(error: NodeJS.ErrnoException): Error {
  return error.code ? new Error(`could not reach the receiver: ${error.code}`) : error;
}

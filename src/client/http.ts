import { backoff, pause } from './backoff.js';
import { DEFAULT_URL } from './default-url.js';
import { isPassing, ProblemError, problemOf, unreachable } from './errors.js';

/** A value, or what gives it each time it is needed. */
export type Given<T> = T | (() => T | Promise<T>);

export interface ServiceOptions {
  /**
   * Where the service is: its root, also below a path. In a browser unless given: where this code was loaded from, if that
   * is the service, else `/`.
   */
  url?: string | undefined;
  /** Of a signed-in user (a JWT) or an admin; sent as `Authorization: Bearer`. A function is asked for each connection. */
  token?: Given<string | undefined> | undefined;
  /** Further headers of each request. */
  headers?: Given<Record<string, string>> | undefined;
  /** Of `fetch`: `include` sends cookies to another origin (which has to be in its `CORS_ORIGINS`). */
  credentials?: RequestCredentials | undefined;
  /** Used in place of the global one. */
  fetch?: typeof globalThis.fetch | undefined;
}

export interface Call {
  method?: string;
  /** The token of the job that it is about, in place of the caller's. */
  token?: string | undefined;
  headers?: Record<string, string>;
  /** Sent as JSON. */
  json?: unknown;
  body?: BodyInit | undefined;
  signal?: AbortSignal | undefined;
  /** How often it is tried again where that is without harm and may help. */
  tries?: number;
  onRetry?: RetryListener | undefined;
}

/**
 * Is told that a call had no answer, or one that will pass (a 503, say), and is tried again in so many ms. A service that
 * does not answer at all is given up for sooner: nothing may be there.
 */
export type RetryListener = (error: ProblemError, inMs: number) => void;

/** So often a call is tried again that nobody answers: for seven seconds at most, in which a service can restart. */
const UNANSWERED_TRIES = 3;

/** The service as its own address has it: with a slash at the end. @throws TypeError outside of a browser, where it has to be given */
export function baseOf({ url = DEFAULT_URL }: ServiceOptions): string {
  const page = (globalThis as { location?: { href: string } }).location?.href;
  try {
    return new URL(url, page).href.replace(/\/*$/, '/');
  } catch {
    throw new TypeError(`createClient needs the url of the service, like http://127.0.0.1:3000, not ${url}`);
  }
}

/** The path of the service, with a slash at its end: `/` where its address is not known. */
export function rootOf(service: ServiceOptions): string {
  try {
    return new URL(baseOf(service)).pathname;
  } catch {
    return '/';
  }
}

/** Whether a text is a whole address and not a path of the service. */
export const isAddress = (text: string): boolean => /^[a-z][a-z\d+.-]*:\/\//i.test(text);

const given = <T>(value: Given<T>): T | Promise<T> =>
  typeof value === 'function' ? (value as () => T | Promise<T>)() : value;

/**
 * Sends one request to the service.
 * @param path relative to the service, without a slash in front; or a whole address
 * @throws ProblemError for any answer but a success
 */
export async function call(service: ServiceOptions, path: string, options: Call = {}): Promise<Response> {
  const { tries = 0, signal, json, onRetry } = options;
  const url = isAddress(path) ? path : baseOf(service) + path;
  const fetch = service.fetch ?? globalThis.fetch;
  let unanswered = 0;
  for (let failures = 0; ; failures++) {
    const token = options.token ?? (await given(service.token));
    const init = {
      method: options.method ?? 'GET',
      headers: {
        ...(await given(service.headers)),
        ...(token ? { Authorization: `Bearer ${token}` } : {}),
        ...(json === undefined ? {} : { 'Content-Type': 'application/json' }),
        ...options.headers,
      },
      body: json === undefined ? options.body : JSON.stringify(json),
      credentials: service.credentials,
      signal,
      // A body that is a stream needs it (Fetch, section 5.4).
      duplex: 'half',
      cache: 'no-store',
    };
    const answer: Response | ProblemError = await fetch(url, init as RequestInit).then<
      Response | ProblemError,
      ProblemError
    >(
      (response) => (response.ok ? response : problemOf(response)),
      (error) => unreachable(url, error),
    );
    signal?.throwIfAborted();
    if (!(answer instanceof ProblemError)) return answer;
    unanswered = answer.status ? 0 : unanswered + 1;
    if (failures >= tries || unanswered > UNANSWERED_TRIES || !isPassing(answer)) throw answer;
    const wait = backoff(failures, 1000) + Number(answer.problem.retryAfterMs ?? 0);
    onRetry?.(answer, Math.round(wait));
    await pause(wait, signal);
    signal?.throwIfAborted();
  }
}

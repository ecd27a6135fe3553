import { backoff, pause } from './backoff.js';
import { DEFAULT_URL } from './default-url.js';
import { isPassing, ProblemError, problemFrom, unreachable } from './errors.js';

/** A value, or a function that returns it each time it is needed. */
export type ValueOrGetter<T> = T | (() => T | Promise<T>);

export interface ServiceOptions {
  /**
   * The root of the service, with its path if it has one. In a browser, defaults to the service that this code was
   * loaded from, otherwise to `/`.
   */
  url?: string | undefined;
  /** The token of a user (a JWT) or an admin, sent as `Authorization: Bearer`. A function is called for each request. */
  token?: ValueOrGetter<string | undefined> | undefined;
  /** Additional headers of each request. */
  headers?: ValueOrGetter<Record<string, string>> | undefined;
  /** As for `fetch`: `include` sends cookies to another origin, which must list this one in its `CORS_ORIGINS`. */
  credentials?: RequestCredentials | undefined;
  /** Replaces the global `fetch`. */
  fetch?: typeof globalThis.fetch | undefined;
}

export interface Call {
  method?: string;
  /** The token of the job that the call is about. Replaces the caller's token. */
  token?: string | undefined;
  headers?: Record<string, string>;
  /** Sent as JSON. */
  json?: unknown;
  body?: BodyInit | undefined;
  signal?: AbortSignal | undefined;
  /** The maximum number of repetitions, for calls that are safe to repeat. */
  tries?: number;
  onRetry?: RetryListener | undefined;
}

/**
 * Called when a call got no response, or a temporary error such as a 503, and will be repeated after `inMs` ms. Calls
 * that get no response at all are given up sooner: there may be no service.
 */
export type RetryListener = (error: ProblemError, inMs: number) => void;

/** How many times a call without a response is repeated: for up to seven seconds, enough for a service to restart. */
const UNANSWERED_TRIES = 3;

/** Returns the root URL of the service, with a trailing slash. @throws TypeError outside of a browser if `url` is missing */
export function baseUrl({ url = DEFAULT_URL }: ServiceOptions): string {
  const page = (globalThis as { location?: { href: string } }).location?.href;
  try {
    return new URL(url, page).href.replace(/\/*$/, '/');
  } catch {
    throw new TypeError(
      `createClient needs the url of the service, such as http://127.0.0.1:3000, not ${url}`,
    );
  }
}

/** Returns the path of the service, with a trailing slash; `/` if the address of the service is unknown. */
export function rootPath(service: ServiceOptions): string {
  try {
    return new URL(baseUrl(service)).pathname;
  } catch {
    return '/';
  }
}

/** Whether a text is an absolute URL, not a path of the service. */
export const isAbsoluteUrl = (text: string): boolean => /^[a-z][a-z\d+.-]*:\/\//i.test(text);

const resolveValue = <T>(value: ValueOrGetter<T>): T | Promise<T> =>
  typeof value === 'function' ? (value as () => T | Promise<T>)() : value;

/**
 * Sends one request to the service.
 * @param path relative to the service, without a leading slash; or an absolute URL
 * @throws ProblemError for any unsuccessful response
 */
export async function call(service: ServiceOptions, path: string, options: Call = {}): Promise<Response> {
  const { tries = 0, signal, json, onRetry } = options;
  const url = isAbsoluteUrl(path) ? path : baseUrl(service) + path;
  const fetch = service.fetch ?? globalThis.fetch;
  let unanswered = 0;
  for (let failures = 0; ; failures++) {
    const token = options.token ?? (await resolveValue(service.token));
    const init = {
      method: options.method ?? 'GET',
      headers: {
        ...(await resolveValue(service.headers)),
        ...(token ? { Authorization: `Bearer ${token}` } : {}),
        ...(json === undefined ? {} : { 'Content-Type': 'application/json' }),
        ...options.headers,
      },
      body: json === undefined ? options.body : JSON.stringify(json),
      credentials: service.credentials,
      signal,
      // Required for a body that is a stream (Fetch, section 5.4).
      duplex: 'half',
      cache: 'no-store',
    };
    const answer: Response | ProblemError = await fetch(url, init as RequestInit).then<
      Response | ProblemError,
      ProblemError
    >(
      (response) => (response.ok ? response : problemFrom(response)),
      (error) => unreachable(url, error),
    );
    // Not `throwIfAborted`: signals of React Native have neither this method nor a reason.
    if (signal?.aborted) throw signal.reason ?? answer;
    if (!(answer instanceof ProblemError)) return answer;
    unanswered = answer.status ? 0 : unanswered + 1;
    if (failures >= tries || unanswered > UNANSWERED_TRIES || !isPassing(answer)) throw answer;
    const wait = backoff(failures, 1000) + Number(answer.problem.retryAfterMs ?? 0);
    onRetry?.(answer, Math.round(wait));
    await pause(wait, signal);
  }
}

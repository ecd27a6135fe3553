import type { Command } from 'commander';
import { visibility } from '../backoff.js';
import { type Client, createClient } from '../client.js';
import { type Call, call } from '../http.js';
import type { AnyJobs } from '../jobs.js';
import { CliError } from './problem.js';
import { type KeptJob, openState, type State } from './state.js';

// A person or a script waits for the output, so reconnect as fast as in a visible page.
visibility.isVisible = () => true;

const VISITOR_COOKIE = 'headway_visitor';
/** The name of the cookie depends on whether the service sees TLS and has a base path. It ignores the other names. */
const VISITOR_COOKIES = ['__Host-', '__Secure-', ''].map((prefix) => prefix + VISITOR_COOKIE);

/** The options that each command has. */
export interface GlobalOptions {
  url: string;
  token?: string;
  json?: boolean;
}

/** One call of the command line: the service, and the caller's credentials. */
export interface Session {
  url: string;
  json: boolean;
  client: Client<AnyJobs>;
  state: State;
  /** Sends one request. Fails at once if the service is unreachable. @throws ProblemError */
  request(path: string, options?: Call): Promise<Response>;
  /** Sends one request and parses its JSON response. @throws CliError if the response is not from Headway */
  // biome-ignore lint/suspicious/noExplicitAny: docs/reference/http.md describes each response
  requestJson(path: string, options?: Call): Promise<any>;
  /** The token for a job: the one on the command line, otherwise the one saved when the job was started here. */
  tokenOf(jobId: string): Promise<string | undefined>;
  /** Keeps the token of a started job for this call and later ones. @throws Error when it cannot be saved for later calls */
  keepToken(job: Omit<KeptJob, 'url'>): Promise<void>;
}

export function openSession(command: Command, state = openState()): Session {
  const { url, token, json = false } = command.optsWithGlobals<GlobalOptions>();
  const typed = command.parent?.getOptionValueSource('token') === 'cli' ? token : undefined;
  const service = { url, token, fetch: visitingFetch(url, state) };
  const started = new Map<string, string>();
  const request: Session['request'] = (path, options) => call(service, path, options);
  return {
    url,
    json,
    state,
    client: createClient<AnyJobs>(service),
    request,
    async requestJson(path, options) {
      const response = await request(path, options);
      return response.json().catch(() => {
        throw new CliError(`${url} is not the root of Headway: its response is not JSON`);
      });
    },
    tokenOf: async (jobId) => typed ?? started.get(jobId) ?? (await state.jobToken(url, jobId)),
    async keepToken(job) {
      started.set(job.id, job.token);
      await state.keepJob({ url, ...job });
    },
  };
}

/** A `fetch` that keeps the visitor cookie between calls, as a browser does. */
function visitingFetch(url: string, state: State): typeof fetch {
  let cookie: Promise<string | undefined> | undefined;
  return async (input, init = {}) => {
    cookie ??= state.visitor(url);
    const known = await cookie;
    const headers = new Headers(init.headers);
    if (known && !headers.has('cookie')) {
      headers.set('Cookie', VISITOR_COOKIES.map((name) => `${name}=${known}`).join('; '));
    }
    const response = await fetch(input, { ...init, headers });
    for (const line of response.headers.getSetCookie()) {
      const [, value] = new RegExp(`^(?:__(?:Host|Secure)-)?${VISITOR_COOKIE}=([\\w-]+)`).exec(line) ?? [];
      if (!value) continue;
      cookie = Promise.resolve(value);
      // If it cannot be saved, each job's own token still grants access.
      await state.keepVisitor(url, value).catch(() => {});
    }
    return response;
  };
}

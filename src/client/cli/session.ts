import type { Command } from 'commander';
import { type Client, createClient } from '../client.js';
import { type Call, call } from '../http.js';
import { openState, type State } from './state.js';

const VISITOR_COOKIE = 'headway_visitor';

/** The options that each command has. */
export interface GlobalOptions {
  url: string;
  token?: string;
  json?: boolean;
}

/** One call of the command line: whom it speaks to, and as whom. */
export interface Session {
  url: string;
  json: boolean;
  client: Client;
  state: State;
  /** One request; it fails at once where nobody answers. @throws ProblemError */
  ask(path: string, options?: Call): Promise<Response>;
  /** The token that opens a job: the one that was typed, else the one that its start gave here. */
  tokenOf(jobId: string): Promise<string | undefined>;
}

export function openSession(command: Command, state = openState()): Session {
  const { url, token, json = false } = command.optsWithGlobals<GlobalOptions>();
  const typed = command.parent?.getOptionValueSource('token') === 'cli' ? token : undefined;
  const service = { url, token, fetch: visitingFetch(url, state) };
  return {
    url,
    json,
    state,
    client: createClient(service),
    ask: (path, options) => call(service, path, options),
    tokenOf: async (jobId) => typed ?? (await state.jobToken(url, jobId)),
  };
}

/** As `fetch`, for a visitor who comes back: keeps the cookie that says who that is, as a browser does. */
function visitingFetch(url: string, state: State): typeof fetch {
  let cookie: Promise<string | undefined> | undefined;
  return async (input, init = {}) => {
    cookie ??= state.visitor(url);
    const known = await cookie;
    const headers = new Headers(init.headers);
    if (known && !headers.has('cookie')) headers.set('Cookie', `${VISITOR_COOKIE}=${known}`);
    const response = await fetch(input, { ...init, headers });
    for (const line of response.headers.getSetCookie()) {
      const [, value] = new RegExp(`^${VISITOR_COOKIE}=([\\w-]+)`).exec(line) ?? [];
      if (!value) continue;
      cookie = Promise.resolve(value);
      // Where it cannot be kept, the token of each job still opens it.
      await state.keepVisitor(url, value).catch(() => {});
    }
    return response;
  };
}

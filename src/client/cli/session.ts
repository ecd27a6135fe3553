import type { Command } from 'commander';
import { sight } from '../backoff.js';
import { type Client, createClient } from '../client.js';
import { type Call, call } from '../http.js';
import { CliError } from './problem.js';
import { type KeptJob, openState, type State } from './state.js';

// Whoever calls a command waits for what it prints.
sight.isSeen = () => true;

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
  /** The same, for an answer that is JSON. @throws CliError where something else than Headway answers */
  // biome-ignore lint/suspicious/noExplicitAny: PROTOCOL.md says what each answer is
  askJson(path: string, options?: Call): Promise<any>;
  /** The token that opens a job: the one that was typed, else the one that its start gave here. */
  tokenOf(jobId: string): Promise<string | undefined>;
  /** Remembers the token of a job that was started; for later calls too. @throws Error when it cannot be kept for these */
  keepToken(job: Omit<KeptJob, 'url'>): Promise<void>;
}

export function openSession(command: Command, state = openState()): Session {
  const { url, token, json = false } = command.optsWithGlobals<GlobalOptions>();
  const typed = command.parent?.getOptionValueSource('token') === 'cli' ? token : undefined;
  const service = { url, token, fetch: visitingFetch(url, state) };
  const started = new Map<string, string>();
  const ask: Session['ask'] = (path, options) => call(service, path, options);
  return {
    url,
    json,
    state,
    client: createClient(service),
    ask,
    async askJson(path, options) {
      const response = await ask(path, options);
      return response.json().catch(() => {
        throw new CliError(`${url} is not Headway, or not its root: what it answers is no JSON`);
      });
    },
    tokenOf: async (jobId) => typed ?? started.get(jobId) ?? (await state.jobToken(url, jobId)),
    async keepToken(job) {
      started.set(job.id, job.token);
      await state.keepJob({ url, ...job });
    },
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
      const [, value] = new RegExp(`^(?:__(?:Host|Secure)-)?${VISITOR_COOKIE}=([\\w-]+)`).exec(line) ?? [];
      if (!value) continue;
      cookie = Promise.resolve(value);
      // Where it cannot be kept, the token of each job still opens it.
      await state.keepVisitor(url, value).catch(() => {});
    }
    return response;
  };
}

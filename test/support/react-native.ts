import { runInNewContext } from 'node:vm';
import { build, type OutputChunk, type RolldownOutput } from 'rolldown';

/** Components of React Native, for a browser. */
export const STAND_IN = `
export const View = (props) => <div {...props} />;
export const Text = (props) => <span {...props} />;
export const Button = ({ title, onPress }) => <button onClick={onPress}>{title}</button>;
`;

/** Takes from a browser what React Native does not have, before any code of the page runs. */
export const LIKE_REACT_NATIVE = `
for (const name of ['SharedWorker', 'EventSource', 'BroadcastChannel', 'crypto', 'localStorage', 'TextDecoder']) {
  Object.defineProperty(window, name, { value: undefined });
}
Object.defineProperty(navigator, 'locks', { value: undefined });
delete Response.prototype.body;
delete AbortSignal.prototype.throwIfAborted;
Object.defineProperty(AbortSignal.prototype, 'reason', { value: undefined });
`;

/** Bundles a file of a project as Metro does: with the field and the condition `react-native`, into one script. */
export async function bundleForReactNative(folder: string, entry: string): Promise<string> {
  const { output } = (await build({
    cwd: folder,
    input: entry,
    write: false,
    resolve: {
      aliasFields: [['react-native']],
      conditionNames: ['react-native', 'require', 'default'],
      mainFields: ['react-native', 'browser', 'main'],
      alias: { 'react-native': `${folder}/native/stand-in.jsx` },
    },
    transform: { define: { 'process.env.NODE_ENV': '"production"' } },
    output: { format: 'iife', codeSplitting: false, name: 'bundle', exports: 'named' },
  })) as RolldownOutput;
  return (output[0] as OutputChunk).code;
}

/** The signal of React Native, which has neither a reason nor `throwIfAborted`. */
class NativeSignal extends EventTarget {
  aborted = false;
}

class NativeController {
  readonly signal = new NativeSignal();
  abort(): void {
    if (this.signal.aborted) return;
    this.signal.aborted = true;
    this.signal.dispatchEvent(new Event('abort'));
  }
}

/** A response of React Native. There is no `body`: `fetch` resolves when the whole body is there. */
class NativeResponse {
  constructor(
    readonly status: number,
    readonly headers: Headers,
    readonly url: string,
    private readonly content: string,
  ) {}
  get ok(): boolean {
    return this.status >= 200 && this.status < 300;
  }
  async text(): Promise<string> {
    return this.content;
  }
  async json(): Promise<unknown> {
    return JSON.parse(this.content);
  }
}

type NativeInit = Omit<RequestInit, 'signal'> & { signal?: NativeSignal };

/** Sends a request, which a signal of React Native may abort. */
async function send(url: string, { signal, ...init }: NativeInit): Promise<Response> {
  const abort = new AbortController();
  signal?.addEventListener('abort', () => abort.abort());
  return fetch(url, { ...init, signal: abort.signal });
}

/**
 * Runs a script with the globals of React Native, and no others but `expoFetch`, whose bodies arrive as they are sent.
 * @returns what the promise `bundle.default` resolves to, and the addresses that were requested with `fetch` and `expoFetch`
 */
export async function runInReactNative(
  code: string,
): Promise<{ result: unknown; polls: string[]; streams: string[] }> {
  const [polls, streams]: [string[], string[]] = [[], []];
  const globals: Record<string, unknown> = {
    AbortController: NativeController,
    Response: NativeResponse,
    navigator: { product: 'ReactNative' },
    async fetch(url: string, init: NativeInit) {
      polls.push(url);
      const response = await send(url, init);
      return new NativeResponse(response.status, response.headers, response.url, await response.text());
    },
    expoFetch(url: string, init: NativeInit) {
      streams.push(url);
      return send(url, init);
    },
    ...{ Blob, TextDecoder, URL, URLSearchParams },
    ...{ clearTimeout, console, performance, queueMicrotask, setTimeout },
  };
  globals.window = globals;
  return { result: await runInNewContext(`${code}; bundle.default`, globals), polls, streams };
}

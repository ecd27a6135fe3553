import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { StartedJob, UploadedFile } from '../../support/client.js';
import type { Contract, ContractOperation } from '../../support/contract.js';
import { temporaryFolder } from '../../support/folder.js';
import { type Headway, startHeadway } from '../../support/headway.js';
import { jobsDir } from '../../support/jobs.js';
import { type ScheduleView, userToken } from '../../support/schedules.js';
import { openStream } from '../../support/sse.js';
import { bearer } from '../../support/tokens.js';
import { until } from '../../support/until.js';

export const ADMIN_TOKEN = 'the-token-of-an-admin';

const auditLog = join(temporaryFolder(), 'audit.log');

/** The parts of a request that the document describes. */
export interface Call {
  path?: Record<string, string>;
  query?: Record<string, string | string[]>;
  headers?: Record<string, string>;
  body?: unknown;
}

/** A case of an operation: its label, the expected status, and the request. */
export type Case = [what: string, status: number, call: (world: World) => Call | Promise<Call>];

export interface OperationCases {
  good: Case[];
  bad: Case[];
}

/** A running service, with helpers for the cases. */
export class World {
  private constructor(
    readonly headway: Headway,
    readonly user: string,
  ) {}

  static async start(): Promise<World> {
    const headway = await startHeadway({
      env: {
        ADMIN_TOKEN,
        CHANNEL_RULES: '[{"channel":"public.**","subscribe":"anyone","publish":"anyone"}]',
        JOBS_DIR: jobsDir('whole-file', { file: 'stubborn', defaults: { cancelGraceMs: 3000 } }),
        UPLOAD_MAX_BYTES: '100000',
        BODY_MAX_BYTES: '20000',
        // Some of the jobs run until the end of the tests.
        WORKER_CONCURRENCY: '50',
        AUDIT_LOG: auditLog,
      },
    });
    return new World(headway, await userToken(headway, 'ada'));
  }

  /** Reads the audit log. */
  readonly readLines = (): Array<{ requestId: string; action: string }> =>
    readFileSync(auditLog, 'utf8')
      .split('\n')
      .flatMap((line) => (line === '' ? [] : [JSON.parse(line)]));

  start(name = 'steps', data: unknown = { count: 1, intervalMs: 1 }, options?: Record<string, unknown>) {
    return this.headway.client.start(name, data, options);
  }

  upload(content = 'a,b\n1,2\n'): Promise<UploadedFile> {
    return this.headway.client.upload('table.csv', content);
  }

  /** Starts a job and waits for its end. */
  async ended(name?: string, data?: unknown): Promise<StartedJob> {
    const job = await this.start(name, data);
    const stream = await openStream(this.headway.client.events(job), { token: job.token });
    await stream.ended;
    return job;
  }

  failed = (): Promise<StartedJob> => this.ended('steps', { count: 2, intervalMs: 1, failAt: 1 });

  /** Starts a job that runs for a long time, and waits until it is active. */
  async running(): Promise<StartedJob> {
    const job = await this.start('steps', { count: 1000, intervalMs: 1000 });
    const stream = await openStream(this.headway.client.events(job), { token: job.token });
    await stream.waitFor('active');
    stream.close();
    return job;
  }

  /** Starts a job that ignores its abort signal, and waits until it is active. */
  async stubborn(): Promise<StartedJob> {
    const job = await this.start('stubborn', { polite: false });
    const stream = await openStream(this.headway.client.events(job), { token: job.token });
    await stream.waitFor('active');
    stream.close();
    return job;
  }

  async lastEventId(job: StartedJob): Promise<string> {
    const stream = await openStream(this.headway.client.events(job), { token: job.token });
    await stream.ended;
    return stream.lastEventId()!;
  }

  /** Waits until a job has been removed. */
  async gone(job: StartedJob): Promise<void> {
    await until('the job is gone', async () => (await this.headway.client.get(job)).status === 410);
  }

  /** Creates a schedule of the user and waits until it has run. */
  async runningSchedule(): Promise<ScheduleView> {
    const { name, data } = yearly;
    const { id } = await this.schedule(undefined, { name, data, everyMs: 60_000 });
    const read = async (): Promise<ScheduleView> => {
      const response = await fetch(`${this.headway.api.url}/v1/schedules/${id}`, {
        headers: bearer(this.user),
      });
      return (await response.json()) as ScheduleView;
    };
    return until('the schedule has run', async () => {
      const schedule = await read();
      return schedule.lastRun && schedule.nextRun ? schedule : undefined;
    });
  }

  /** Creates a schedule of the user that is due in a month at the earliest. */
  async schedule(key?: string, body: Record<string, unknown> = yearly): Promise<ScheduleView> {
    const response = await fetch(`${this.headway.api.url}/v1/schedules`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', ...bearer(this.user) },
      body: JSON.stringify({ ...body, ...(key ? { key } : {}) }),
    });
    return (await response.json()) as ScheduleView;
  }

  /** Sends a request for an operation, as the document describes it. */
  async send(operation: ContractOperation, call: Call): Promise<Response> {
    const path = operation.path.replace(/\{(\w+)\}/g, (_all, name: string) =>
      encodeURIComponent(call.path?.[name] ?? 'missing'),
    );
    const query = new URLSearchParams(
      Object.entries(call.query ?? {}).flatMap(([name, values]) =>
        [values].flat().map((value): [string, string] => [name, value]),
      ),
    );
    const isJson = call.body !== undefined && !isRaw(call.body);
    return fetch(`${this.headway.api.url}${path}?${query}`, {
      method: operation.method.toUpperCase(),
      headers: { ...(isJson ? { 'Content-Type': 'application/json' } : {}), ...call.headers },
      redirect: 'error',
      ...(call.body === undefined
        ? {}
        : { body: isJson ? JSON.stringify(call.body) : (call.body as string) }),
    });
  }
}

export { bearer };
export const admin = bearer(ADMIN_TOKEN);

/** Returns the time a number of days from now. */
export const inDays = (days: number): string => new Date(Date.now() + days * 86_400_000).toISOString();

/** Returns a request for a job with the job's token. */
export const ofJob = ({ id, token }: StartedJob): Call => ({ path: { id }, headers: bearer(token) });

export const yearly = {
  name: 'steps',
  data: { count: 1, intervalMs: 1 },
  cron: '0 0 1 1 *',
  startAt: inDays(30),
};

const isRaw = (body: unknown): boolean =>
  typeof body === 'string' || body instanceof FormData || body instanceof Uint8Array;

/** Checks that the document describes a request. */
export function checkRequest(contract: Contract, operation: ContractOperation, call: Call): void {
  for (const [kind, given] of [
    ['path', call.path],
    ['query', call.query],
  ] as const) {
    for (const [name, value] of Object.entries(given ?? {})) {
      if (kind === 'query' && name === 'token') continue;
      const index = operation.parameters.findIndex((known) => known.in === kind && known.name === name);
      expect(index, `the document has the parameter ${name}`).toBeGreaterThanOrEqual(0);
      const { schema } = operation.parameters[index]!;
      const typed =
        schema.type === 'array' ? [value].flat() : schema.type === 'integer' ? Number(value) : value;
      const own = contract.document.paths[operation.path][operation.method].parameters[index];
      if (own.$ref) expect(typeof typed).toBe('string');
      else {
        const pointer = contract.pointer(operation, 'parameters', String(index), 'schema');
        expect(contract.mistakes(pointer, typed)).toEqual([]);
      }
    }
  }
  for (const known of operation.parameters.filter(({ required }) => required)) {
    expect([...Object.keys(call.path ?? {}), ...Object.keys(call.query ?? {})]).toContain(known.name);
  }
  if (call.body === undefined) return expect(operation.requestBody?.required ?? false).toBe(false);
  if (isRaw(call.body)) return;
  const pointer = contract.pointer(operation, 'requestBody', 'content', 'application/json', 'schema');
  expect(contract.mistakes(pointer, call.body)).toEqual([]);
}

const HEADERS = [
  'location',
  'retry-after',
  'www-authenticate',
  'etag',
  'content-disposition',
  'content-range',
];

/** Checks that the document describes a response: status, headers, media type and body. */
export async function checkAnswer(
  contract: Contract,
  operation: ContractOperation,
  response: Response,
): Promise<void> {
  expect(Object.keys(operation.responses)).toContain(String(response.status));
  const answer = operation.responses[response.status];
  const headers = Object.entries(answer!.headers ?? {});
  for (const [name, header] of headers) {
    if (contract.headerRequired(header)) expect(response.headers.has(name), name).toBe(true);
  }
  const known = headers.map(([name]) => name.toLowerCase());
  for (const name of HEADERS) {
    if (response.headers.has(name)) expect(known, `the document has the header ${name}`).toContain(name);
  }
  const type = response.headers.get('content-type')?.split(';')[0];
  if (!answer!.content) {
    expect(await response.text()).toBe('');
    return;
  }
  expect(Object.keys(answer!.content)).toContain(type);
  if (type === 'text/event-stream') return void (await response.body!.cancel());
  const body = type!.endsWith('json') ? await response.json() : await response.text();
  const pointer = contract.pointer(
    operation,
    'responses',
    String(response.status),
    'content',
    type!,
    'schema',
  );
  expect(contract.mistakes(pointer, body)).toEqual([]);
}

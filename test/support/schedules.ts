import type { Headway } from './headway.js';
import { openStream, type TestStream } from './sse.js';
import { signer } from './tokens.js';
import { until } from './until.js';

/** A run, as in the view of its schedule. */
export interface RunView {
  id: string;
  state: string;
  dueAt?: number;
  links: { self: string; events: string; cancel: string; result: string };
}

/** A schedule as `GET` shows it. */
export interface ScheduleView {
  id: string;
  name: string;
  state: 'active' | 'paused' | 'ended';
  data: Record<string, unknown>;
  cron?: string;
  timeZone?: string;
  everyMs?: number;
  runs: number;
  createdAt: number;
  updatedAt: number;
  nextRunAt: number | null;
  nextRun: RunView | null;
  lastRun: RunView | null;
  links: { self: string; pause: string; resume: string; run: string };
}

/** Signs the token of a user, as an identity provider does. */
export const userToken = ({ env }: Headway, subject: string, expires = '1h'): Promise<string> =>
  signer(env.TOKEN_SECRET!)({ sub: subject }, expires);

/** Returns the calls about schedules, with one caller's token. */
export function schedulesOf(headway: Headway, token: string, url = headway.api.url) {
  const call = (path: string, method = 'GET', body?: unknown): Promise<Response> =>
    fetch(`${url}${path}`, {
      method,
      headers: {
        Authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  const read = async <T>(response: Response, ...expected: number[]): Promise<T> => {
    const answer = (await response.json()) as T;
    if (!expected.includes(response.status)) throw new Error(`${response.status}: ${JSON.stringify(answer)}`);
    return answer;
  };
  return {
    call,
    post: (body: unknown): Promise<Response> => call('/v1/schedules', 'POST', body),
    async make(body: unknown): Promise<ScheduleView> {
      return read(await call('/v1/schedules', 'POST', body), 201);
    },
    async get({ links }: ScheduleView): Promise<ScheduleView> {
      return read(await call(links.self), 200);
    },
    async change({ links }: ScheduleView, body: unknown): Promise<ScheduleView> {
      return read(await call(links.self, 'PATCH', body), 200);
    },
    async pause({ links }: ScheduleView): Promise<ScheduleView> {
      return read(await call(links.pause, 'POST'), 200);
    },
    async resume({ links }: ScheduleView): Promise<ScheduleView> {
      return read(await call(links.resume, 'POST'), 200);
    },
    remove: ({ links }: ScheduleView): Promise<Response> => call(links.self, 'DELETE'),
    async list(query = ''): Promise<{ schedules: ScheduleView[]; next?: string }> {
      return read(await call(`/v1/schedules${query}`), 200);
    },
    /** Reads the job of a run. */
    async job({ links }: RunView): Promise<Record<string, unknown> & { state: string; attempt: number }> {
      return read(await call(links.self), 200);
    },
    watch: ({ links }: RunView): Promise<TestStream> => openStream(`${url}${links.events}`, { token }),
    /** Waits until a schedule fulfils a condition. */
    async until(
      what: string,
      schedule: ScheduleView,
      condition: (now: ScheduleView) => unknown,
    ): Promise<ScheduleView> {
      return until(what, async () => {
        const now = await this.get(schedule);
        return condition(now) ? now : undefined;
      });
    },
  };
}

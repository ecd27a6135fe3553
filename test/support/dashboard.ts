import { applyFrame, type DashboardState, initialState } from '../../src/web/src/dashboard/state.js';
import { openStream, type TestStream } from './sse.js';
import { until } from './until.js';

export const ADMIN_TOKEN = 'the-token-of-an-admin';

/** A viewer of the dashboard. */
export interface TestDashboard extends TestStream {
  /** Returns the current state of the dashboard. */
  state(): DashboardState;
  /** Waits until the state fulfils a condition. */
  shows(
    what: string,
    condition: (state: DashboardState) => boolean,
    timeoutMs?: number,
  ): Promise<DashboardState>;
}

/** Opens the dashboard's stream, with the admin token unless `headers` are given. */
export async function openDashboard(
  url: string,
  { query = '', headers }: { query?: string; headers?: Record<string, string> } = {},
): Promise<TestDashboard> {
  const stream = await openStream(`${url}/v1/dashboard/events${query}`, {
    ...(headers ? { headers } : { token: ADMIN_TOKEN }),
  });
  const state = (): DashboardState =>
    stream.events
      .filter(({ event }) => event === 'dashboard')
      .reduce((now, { data }) => applyFrame(now, data), initialState());
  return {
    ...stream,
    state,
    async shows(what, condition, timeoutMs) {
      let last = state();
      await until(
        `the dashboard shows ${what}`,
        () => {
          last = state();
          return last.at > 0 && condition(last);
        },
        timeoutMs,
      ).catch((error: Error) => {
        throw new Error(`${error.message}; it shows ${JSON.stringify(last).slice(0, 2000)}`);
      });
      return last;
    },
  };
}

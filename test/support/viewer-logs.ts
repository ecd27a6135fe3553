import { expect } from 'vitest';
import type { clientOf, StartedJob } from './client.js';
import { openStream, type ReceivedEvent, type TestStream } from './sse.js';

export const upTo = (last: number): number[] => Array.from({ length: last }, (_, i) => i + 1);

/** The events since the last `reset`, after which a stream begins again. */
export const sinceReset = (events: ReceivedEvent[]): ReceivedEvent[] =>
  events.slice(events.findLastIndex(({ event }) => event === 'reset') + 1);

/** The numbers of the lines of a job of `until-file` since the last `reset`. */
export function linesOf(events: ReceivedEvent[]): number[] {
  return sinceReset(events)
    .filter(({ event }) => event === 'log')
    .map(({ data }) => Number(data.message.slice('line '.length)));
}

/**
 * Checks that viewers of a job of `until-file`, whose streams have ended, have seen each line and the end once and in order, in
 * one attempt. Lines that a viewer has missed would be announced as missing.
 * @param last the number of the last line
 */
export function expectWholeLog(viewers: TestStream[], last: number): void {
  for (const viewer of viewers) {
    expect(viewer.names().filter((name) => name === 'completed')).toHaveLength(1);
    expect(viewer.names().at(-1)).toBe('completed');
    expect(linesOf(viewer.events)).toEqual(upTo(last));
    const ids = sinceReset(viewer.events).flatMap(({ id }) => id ?? []);
    expect(new Set(ids).size).toBe(ids.length);
    expect(viewer.events.flatMap(({ data }) => data.attempt ?? [])).not.toContain(2);
  }
}

/**
 * Checks that each job has completed once. A worker may lose the answer with which it took a job. The job then runs once its lock
 * has expired.
 */
export async function expectCompleted(
  client: ReturnType<typeof clientOf>,
  jobs: StartedJob[],
): Promise<void> {
  for (const job of jobs) {
    const stream = await openStream(client.events(job), { token: job.token });
    await stream.ended;
    const states = stream.names().filter((name) => !['progress', 'log', 'waiting'].includes(name));
    expect(states.join(' ')).toMatch(/^active (stalled active )*completed$/);
  }
}

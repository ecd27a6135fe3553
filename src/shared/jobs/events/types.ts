import type { z } from 'zod';
import type { NoEvents } from '../types.js';
import type { customEvent, JobEventName, jobEvents } from './job-events.js';
import type { streamEvents } from './stream-events.js';

/** The data of each event of a job, by event name. */
export type JobEventData<R = unknown> = {
  [Name in Exclude<JobEventName, 'completed'>]: z.output<(typeof jobEvents)[Name]['data']>;
} & {
  completed: Omit<z.output<(typeof jobEvents)['completed']['data']>, 'result'> & { result: R };
  reset: z.output<(typeof streamEvents)['reset']['data']>;
};

/** The data of a custom event. The job's value is in `data`. */
type CustomEventData<T> = Omit<z.output<(typeof customEvent)['data']>, 'data'> & { data: T };

interface Event<Name extends string, Data> {
  /** The id with which another call can continue; `undefined` for `reset`. */
  id: string | undefined;
  event: Name;
  data: Data;
}

/**
 * An event of a job, discriminated by `event`. Custom events are those of `E`, the values by event name; others arrive under
 * their own names too, which this type does not list.
 */
export type JobEvent<R = unknown, E = NoEvents> =
  | { [Name in keyof JobEventData<R>]: Event<Name, JobEventData<R>[Name]> }[keyof JobEventData<R>]
  | { [Name in keyof E & string]: Event<Name, CustomEventData<E[Name]>> }[keyof E & string];

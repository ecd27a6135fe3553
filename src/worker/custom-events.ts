import { jobEvents } from '../shared/events/job-events.js';
import { streamEvents } from '../shared/events/stream-events.js';
import { InFlight } from './in-flight.js';
import { toJson } from './json.js';

const MAX_BYTES = 64 * 1024;
const MAX_IN_FLIGHT = 10_000;
const TYPE = /^[A-Za-z0-9._:-]{1,100}$/;

/** The names that Headway, or the browser, uses itself on a stream. */
const RESERVED = new Set([
  ...Object.keys(jobEvents),
  ...Object.keys(streamEvents),
  ...['error', 'open', 'message'],
]);

/** The events of its own kinds that one attempt sends: each matters, so each goes out at once and in order. */
export class CustomEvents {
  private readonly inFlight: InFlight;

  constructor(
    private readonly of: { jobId: string; attempt: number },
    private readonly publish: (type: string, json: string) => Promise<unknown>,
    warn: (message: string) => void,
  ) {
    this.inFlight = new InFlight((error) => warn(`an event could not be published: ${error}`));
  }

  /**
   * @throws TypeError for a type that no event can have, or data without a JSON form
   * @throws RangeError for data that is too large
   * @throws Error when far more events wait for Redis than a job should have
   */
  emit(type: string, data: unknown): void {
    checkType(type);
    const json = toJson(data, `emit(): the data of "${type}"`, MAX_BYTES).text;
    if (this.inFlight.size >= MAX_IN_FLIGHT) {
      throw new Error(
        `emit(): ${MAX_IN_FLIGHT} events have not reached Redis yet; emit fewer, or wait in between`,
      );
    }
    const { jobId, attempt } = this.of;
    const head = `"jobId":${JSON.stringify(jobId)},"attempt":${attempt}`;
    this.inFlight.add(this.publish(type, `{${head},"data":${json},"at":${Date.now()}}`));
  }

  flush(): Promise<void> {
    return this.inFlight.landed();
  }
}

function checkType(type: unknown): void {
  if (typeof type !== 'string' || !TYPE.test(type)) {
    throw new TypeError('emit(): a type has 1 to 100 of A-Z a-z 0-9 . _ : -');
  }
  if (RESERVED.has(type)) {
    throw new TypeError(`emit(): "${type}" is a name that Headway or the browser uses itself; take another`);
  }
}

import { jobEvents } from '../../shared/jobs/events/job-events.js';
import { streamEvents } from '../../shared/jobs/events/stream-events.js';
import { serverNow } from '../../shared/redis/server-clock.js';
import { toJson } from './json.js';

const MAX_BYTES = 64 * 1024;
const TYPE = /^[A-Za-z0-9._:-]{1,100}$/;

/** Event names that Headway or browsers use on a stream. */
const RESERVED = new Set([
  ...Object.keys(jobEvents),
  ...Object.keys(streamEvents),
  ...['error', 'open', 'message'],
]);

/** The custom events of one attempt (`ctx.emit()`). All are published, at once and in order. */
export class CustomEvents {
  private readonly head: string;

  constructor(
    { jobId, attempt }: { jobId: string; attempt: number },
    private readonly publish: (type: string, json: string) => void,
  ) {
    this.head = `"jobId":${JSON.stringify(jobId)},"attempt":${attempt}`;
  }

  /**
   * @throws TypeError if the type is invalid or reserved, or the data cannot be converted to JSON
   * @throws RangeError if the data is too large
   */
  emit(type: string, data: unknown): void {
    checkType(type);
    const json = toJson(data, `emit(): the data of "${type}"`, MAX_BYTES).text;
    this.publish(type, `{${this.head},"data":${json},"at":${serverNow()}}`);
  }
}

function checkType(type: unknown): void {
  if (typeof type !== 'string' || !TYPE.test(type)) {
    throw new TypeError('emit(): a type must have 1 to 100 characters of A-Z a-z 0-9 . _ : -');
  }
  if (RESERVED.has(type)) {
    throw new TypeError(`emit(): the type "${type}" is reserved`);
  }
}

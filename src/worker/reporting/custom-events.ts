import type { StandardSchemaV1 } from '@standard-schema/spec';
import { eventTypeError } from '../../shared/jobs/events/custom.js';
import { explain, fieldErrors } from '../../shared/jobs/schema.js';
import type { EventSchemas } from '../../shared/jobs/types.js';
import { serverNow } from '../../shared/redis/server-clock.js';
import { toJson } from './json.js';

const MAX_BYTES = 64 * 1024;

/** The custom events of one attempt (`ctx.emit()`). All are published, at once and in order. */
export class CustomEvents {
  private readonly head: string;

  /** @param schemas the `events` of the definition; without them, any event can be emitted */
  constructor(
    { jobId, attempt }: { jobId: string; attempt: number },
    private readonly publish: (type: string, json: string) => void,
    private readonly schemas?: EventSchemas | undefined,
  ) {
    this.head = `"jobId":${JSON.stringify(jobId)},"attempt":${attempt}`;
  }

  /**
   * @throws TypeError if the type is invalid, reserved or not declared, or the data does not match its schema or cannot be
   * converted to JSON
   * @throws RangeError if the data is too large
   */
  emit(type: string, data: unknown): void {
    const problem = eventTypeError(type);
    if (problem) throw new TypeError(`emit(): ${problem}`);
    const value = this.schemas ? checked(this.schemas, type, data) : data;
    const json = toJson(value, `emit(): the data of "${type}"`, MAX_BYTES).text;
    this.publish(type, `{${this.head},"data":${json},"at":${serverNow()}}`);
  }
}

/** Returns the output of the schema of an event. @throws TypeError */
function checked(schemas: EventSchemas, type: string, data: unknown): unknown {
  const schema: StandardSchemaV1 | undefined = Object.hasOwn(schemas, type) ? schemas[type] : undefined;
  if (!schema) throw new TypeError(`emit(): "${type}" is not in the \`events\` of the definition`);
  const result = schema['~standard'].validate(data);
  if (result instanceof Promise) {
    throw new TypeError(`emit(): the schema of "${type}" is asynchronous, which events cannot be`);
  }
  if (!result.issues) return result.value;
  throw new TypeError(`emit(): the data of "${type}" is invalid: ${explain(fieldErrors(result.issues))}`);
}

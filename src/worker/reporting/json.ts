/** A value as JSON, with its size in bytes of UTF-8. */
export interface Json {
  text: string;
  bytes: number;
}

/**
 * Converts a value of a job to JSON at once, because the job may change the value afterwards.
 * @param what name of the value in errors
 * @throws TypeError if the value cannot be converted
 * @throws RangeError if the JSON is larger than `maxBytes`
 */
export function toJson(value: unknown, what: string, maxBytes: number): Json {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    throw new TypeError(
      `${what} cannot be converted to JSON: ${error instanceof Error ? error.message : error}`,
    );
  }
  if (text === undefined)
    throw new TypeError(`${what} cannot be converted to JSON: the type is ${typeof value}`);
  const bytes = Buffer.byteLength(text);
  if (bytes > maxBytes) {
    throw new RangeError(`${what} is ${bytes} bytes as JSON; the limit is ${maxBytes}`);
  }
  return { text, bytes };
}

/** Something as JSON, and how many bytes of UTF-8 that is. */
export interface Json {
  text: string;
  bytes: number;
}

/**
 * Turns what a job gave into JSON at once: it may change the value afterwards.
 * @param what names the value in the error
 * @throws TypeError for what has no JSON form, RangeError for what is larger than `maxBytes`
 */
export function toJson(value: unknown, what: string, maxBytes: number): Json {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    throw new TypeError(`${what} has no JSON form: ${error instanceof Error ? error.message : error}`);
  }
  if (text === undefined) throw new TypeError(`${what} has no JSON form: it is ${typeof value}`);
  const bytes = Buffer.byteLength(text);
  if (bytes > maxBytes) {
    throw new RangeError(`${what} is ${bytes} bytes as JSON; at most ${maxBytes} are allowed`);
  }
  return { text, bytes };
}

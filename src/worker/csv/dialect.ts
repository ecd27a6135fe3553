import { open } from 'node:fs/promises';
import { PermanentError } from '../../shared/errors.js';

const SAMPLE_BYTES = 64 * 1024;
const DELIMITERS = [',', ';', '\t', '|'];

/**
 * Looks at the start of a file: is it text, and what separates its fields?
 * @throws PermanentError for a file that is no CSV in UTF-8
 */
export async function sniffDelimiter(path: string): Promise<string> {
  const file = await open(path);
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(SAMPLE_BYTES), 0, SAMPLE_BYTES, 0);
    const sample = buffer.subarray(0, bytesRead);
    if (bytesRead === 0) throw new PermanentError('the file is empty');
    if ((sample[0] === 0xff && sample[1] === 0xfe) || (sample[0] === 0xfe && sample[1] === 0xff)) {
      throw new PermanentError('the file is UTF-16; save it as UTF-8');
    }
    if (sample.includes(0)) throw new PermanentError('this is not a CSV file: it has binary content');
    return mostFrequentDelimiter(sample.toString('utf8'));
  } finally {
    await file.close();
  }
}

/** The delimiter that is most frequent outside quotes in the first line; a comma when there is none. */
export function mostFrequentDelimiter(text: string): string {
  const counts = new Map(DELIMITERS.map((delimiter) => [delimiter, 0]));
  let quoted = false;
  for (const char of text) {
    if (char === '"') quoted = !quoted;
    else if (!quoted && char === '\n') break;
    else if (!quoted && counts.has(char)) counts.set(char, counts.get(char)! + 1);
  }
  return [...counts].reduce((best, next) => (next[1] > best[1] ? next : best))[0];
}

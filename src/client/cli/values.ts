import { readFile, stat } from 'node:fs/promises';
import { InvalidArgumentError } from 'commander';
import { isPattern } from '../../shared/channel/pattern.js';
import { decodeText } from '../../shared/process/text-file.js';
import { UsageError } from './problem.js';

const UNITS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Parses a duration such as `500ms`, `30s`, `5m`, `2h` or `1d`. Returns ms. @throws InvalidArgumentError */
export function duration(text: string): number {
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text) ?? [];
  const factor = UNITS[unit];
  if (!factor) throw new InvalidArgumentError('It must be a time with a unit: 500ms, 30s, 5m, 2h, 1d.');
  return Math.round(Number(number) * factor);
}

/** Returns a parser for integers from `min` to `max`. @throws InvalidArgumentError */
export function whole(min: number, max = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < min || value > max) {
      throw new InvalidArgumentError(
        `It must be an integer ${max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`}.`,
      );
    }
    return value;
  };
}

/** Collects the values of a repeatable option. */
export const several = (text: string, before: string[] = []): string[] => [...before, text];

/** Parses the address of the service. @throws InvalidArgumentError */
export function address(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw new InvalidArgumentError('It must be a URL such as http://127.0.0.1:3000.');
  }
  return url.href.replace(/[?#].*$/, '').replace(/\/*$/, '');
}

/** Checks a text that is sent in a header. @throws InvalidArgumentError */
export function visible(text: string): string {
  if (!/^[\x21-\x7e]+$/.test(text))
    throw new InvalidArgumentError('It must contain only visible ASCII characters.');
  return text;
}

/** Parses JSON from an option, from a file (`@file.json`) or from standard input (`-`). @throws UsageError */
export async function json(option: string, text: string): Promise<unknown> {
  const source = text === '-' ? 'standard input' : text.startsWith('@') ? text.slice(1) : undefined;
  const content = source === undefined ? text : await (text === '-' ? readInput() : readText(option, source));
  try {
    return JSON.parse(content);
  } catch (error) {
    const where = source === undefined ? '' : ` in ${source}`;
    throw new UsageError(`${option} is not valid JSON${where}: ${(error as Error).message}`);
  }
}

/** Reads all of standard input as text. @throws UsageError if it is not UTF-8 */
export async function readInput(): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk);
  return textOf(Buffer.concat(chunks), 'standard input');
}

async function readText(option: string, path: string): Promise<string> {
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    throw new UsageError(`${option}: cannot read ${path} (${error.code})`);
  });
  return textOf(bytes, `${option}: ${path}`);
}

function textOf(bytes: Uint8Array, source: string): string {
  try {
    return decodeText(bytes);
  } catch {
    throw new UsageError(`${source} is not UTF-8 text`);
  }
}

/** Whether a path can be read as a file. A pipe can, too. */
export const isFile = (path: string): Promise<boolean> =>
  stat(path).then(
    (stats) => !stats.isDirectory(),
    () => false,
  );

/**
 * Checks a channel pattern by the rules of the service, so that an invalid one fails before the first call.
 * @throws InvalidArgumentError
 */
export function pattern(value: string, before?: string[]): string[] {
  if (!isPattern(value)) {
    throw new InvalidArgumentError(
      'It must be a channel name, optionally with {sub}, {tenant} and up to three wildcards (* or **).',
    );
  }
  return several(value, before);
}

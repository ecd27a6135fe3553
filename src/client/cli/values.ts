import { readFile, stat } from 'node:fs/promises';
import { InvalidArgumentError } from 'commander';
import { isPattern } from '../../shared/channel/pattern.js';
import { decodeText } from '../../shared/process/text-file.js';
import { UsageError } from './problem.js';

const UNITS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A time such as `500ms`, `30s`, `5m`, `2h` or `1d`, in ms. @throws InvalidArgumentError */
export function duration(text: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text) ?? [];
  if (!unit) throw new InvalidArgumentError('It is a time with a unit: 500ms, 30s, 5m, 2h, 1d.');
  return Math.round(Number(number) * UNITS[unit]!);
}

/** A whole number from `min` on. @throws InvalidArgumentError */
export function whole(min: number, max = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < min || value > max) {
      throw new InvalidArgumentError(
        `It is a whole number ${max === Number.MAX_SAFE_INTEGER ? `of ${min} or more` : `from ${min} to ${max}`}.`,
      );
    }
    return value;
  };
}

/** A value of an option that may be given several times. */
export const several = (text: string, before: string[] = []): string[] => [...before, text];

/** The address of the service. @throws InvalidArgumentError */
export function address(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw new InvalidArgumentError('It is an address such as http://127.0.0.1:3000.');
  }
  return url.href.replace(/[?#].*$/, '').replace(/\/*$/, '');
}

/** Something that only characters of a header can say. @throws InvalidArgumentError */
export function visible(text: string): string {
  if (!/^[\x21-\x7e]+$/.test(text)) throw new InvalidArgumentError('It is visible ASCII characters only.');
  return text;
}

/** JSON that was typed, or is in a file (`@file.json`), or comes on standard input (`-`). @throws UsageError */
export async function json(option: string, text: string): Promise<unknown> {
  const source = text === '-' ? 'standard input' : text.startsWith('@') ? text.slice(1) : undefined;
  const content = source === undefined ? text : await (text === '-' ? readInput() : readText(option, source));
  try {
    return JSON.parse(content);
  } catch (error) {
    const where = source === undefined ? '' : ` in ${source}`;
    throw new UsageError(`${option}: there is no valid JSON${where}: ${(error as Error).message}`);
  }
}

/** All of standard input, as text. @throws UsageError when it is not text */
export async function readInput(): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk);
  return textOf(Buffer.concat(chunks), 'standard input');
}

async function readText(option: string, path: string): Promise<string> {
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    throw new UsageError(`${option}: ${path} cannot be read (${error.code})`);
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

/** Whether something that can be read as a file is there (a pipe too). */
export const isFile = (path: string): Promise<boolean> =>
  stat(path).then(
    (stats) => !stats.isDirectory(),
    () => false,
  );

/** A pattern of channels as the service takes it: refused here, and not by the first call that brings it. @throws InvalidArgumentError */
export function pattern(value: string, before?: string[]): string[] {
  if (!isPattern(value)) {
    throw new InvalidArgumentError(
      'It is a name of channels in which *, **, {sub} and {tenant} may stand, three wildcards at most.',
    );
  }
  return several(value, before);
}

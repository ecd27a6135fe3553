import { fill, words, wordsLanguage } from '../words';

/** A file in a value. */
export interface ResultFile {
  id: string;
  name: string;
  size: number;
  href: string;
}

/** A row of a value, such as a result: a file to download, a short text, or a long text that is folded. */
export type ValueRow = { key: string } & (
  | { file: ResultFile }
  | { text: string }
  /** What it is, and a function that formats it. */
  | { summary: string; long: () => string }
);

/** Longer texts are folded. */
const MAX_INLINE = 300;
/** How much of a long text is shown: more would slow the browser down. */
const MAX_SHOWN = 200_000;

const isFile = (value: unknown): value is ResultFile =>
  typeof (value as ResultFile | null)?.href === 'string' && typeof (value as ResultFile).name === 'string';

/** Returns the rows of a value: one for each member of an object. */
export function rowsOf(result: unknown): ValueRow[] {
  if (isFile(result)) return [{ key: words.job.file, file: result }];
  if (result === null || typeof result !== 'object' || Array.isArray(result))
    return [rowOf(words.job.value, result)];
  return Object.entries(result).map(([key, value]) => rowOf(key, value));
}

/** How many members of an object have rows of their own, before it is folded. */
const MAX_ROWS = 12;

/** Returns what is folded of a value with many members; `undefined` if it is short enough for {@link rowsOf}. */
export function foldedValue(value: unknown): { summary: string; long: () => string } | undefined {
  const isLong =
    value !== null &&
    typeof value === 'object' &&
    !Array.isArray(value) &&
    Object.keys(value).length > MAX_ROWS;
  return isLong ? { summary: summaryOf(value), long: () => cut(formatted(value)) } : undefined;
}

function rowOf(key: string, value: unknown): ValueRow {
  if (isFile(value)) return { key, file: value };
  const text = textOf(value);
  if (text.length <= MAX_INLINE) return { key, text };
  return { key, summary: summaryOf(value), long: () => cut(formatted(value)) };
}

function textOf(value: unknown): string {
  if (typeof value === 'number') return value.toLocaleString(wordsLanguage());
  if (typeof value === 'string') return value;
  if (Array.isArray(value) && value.length === 0) return words.job.none;
  const pairs = pairsOf(value);
  return pairs ? pairs.join('; ') : JSON.stringify(value);
}

/** Returns lists of named things, such as columns and failures, as `name: reason`. */
function pairsOf(value: unknown): string[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const has = (field: string): boolean =>
    value.every((item) => typeof item?.name === 'string' && typeof item[field] === 'string');
  if (has('type')) return [value.map((item) => `${item.name} (${item.type})`).join(', ')];
  return has('reason') ? value.map((item) => `${item.name}: ${item.reason}`) : undefined;
}

function summaryOf(value: unknown): string {
  if (typeof value === 'string') return fill(words.job.characters, { count: value.length });
  if (Array.isArray(value)) return fill(words.job.items, { count: value.length });
  return fill(words.job.fields, { count: Object.keys(value as object).length });
}

const formatted = (value: unknown): string =>
  typeof value === 'string' ? value : (pairsOf(value)?.join('\n') ?? JSON.stringify(value, null, 2));

const cut = (text: string): string =>
  text.length <= MAX_SHOWN
    ? text
    : `${text.slice(0, MAX_SHOWN)}\n${fill(words.job.moreCharacters, { count: text.length - MAX_SHOWN })}`;

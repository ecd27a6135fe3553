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
  if (isFile(result)) return [{ key: 'file', file: result }];
  if (result === null || typeof result !== 'object' || Array.isArray(result))
    return [rowOf('result', result)];
  return Object.entries(result).map(([key, value]) => rowOf(key, value));
}

function rowOf(key: string, value: unknown): ValueRow {
  if (isFile(value)) return { key, file: value };
  const text = textOf(value);
  if (text.length <= MAX_INLINE) return { key, text };
  return { key, summary: summaryOf(value), long: () => cut(formatted(value)) };
}

function textOf(value: unknown): string {
  if (typeof value === 'number') return value.toLocaleString('en');
  if (typeof value === 'string') return value;
  if (Array.isArray(value) && value.length === 0) return 'none';
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
  const count = (n: number, what: string): string => `${n.toLocaleString('en')} ${what}${n === 1 ? '' : 's'}`;
  if (typeof value === 'string') return count(value.length, 'character');
  if (Array.isArray(value)) return count(value.length, 'item');
  return count(Object.keys(value as object).length, 'field');
}

const formatted = (value: unknown): string =>
  typeof value === 'string' ? value : (pairsOf(value)?.join('\n') ?? JSON.stringify(value, null, 2));

const cut = (text: string): string =>
  text.length <= MAX_SHOWN
    ? text
    : `${text.slice(0, MAX_SHOWN)}\n… ${(text.length - MAX_SHOWN).toLocaleString('en')} more characters`;

import type { Item, Kind, Seen } from './records.js';
import type { WireEvent } from './sse-client.js';

// biome-ignore lint/suspicious/noExplicitAny: the data is read field by field
type Json = Record<string, any>;

/** Warnings about dropped log lines. */
const LEFT_OUT = /^(\d+) log lines (?:dropped|over the limit were dropped)/;

/** Keeps the parts of an event that the checker needs, without the padding, to save memory. */
export function compact({ id, event, data }: WireEvent, at: number): Seen {
  const value = parse(data) as Json;
  const seen: Seen = { at, id: id.split(':')[0]!, event };
  if (typeof value?.attempt === 'number') seen.attempt = value.attempt;
  const items = itemsOf(event, value);
  if (items.length > 0) seen.items = items;
  const missing = missingOf(event, value);
  if (missing) seen.missing = missing;
  if (event === 'progress') {
    seen.percent = value.percent;
    const [, run, n] = /^(\w+):(\d+)$/.exec(String(value.message ?? '')) ?? [];
    if (run) seen.progress = { run, n: Number(n) };
  }
  if (event === 'score') seen.progress = { run: 'channel', n: Number(value.n) };
  if (event === 'completed') seen.result = String(value.result?.run);
  if (value?.error) seen.error = String(value.error.message);
  return seen;
}

function itemsOf(event: string, value: Json): Item[] {
  if (event === 'log') return value.fields?.run ? [itemOf('log', value.fields)] : [];
  if (event === 'said') return [itemOf('event', value.data ?? value)];
  if (event !== 'partial') return [];
  if (Array.isArray(value.chunks)) return value.chunks.map((chunk) => itemOf('partial', chunk));
  const items: Item[] = [];
  for (const [, run, n, length, pad] of String(value.text ?? '').matchAll(/\[(\w+):(\d+):(\d+)\](x*)/g)) {
    items.push({ kind: 'partial', run: run!, n: Number(n), whole: pad!.length === Number(length) });
  }
  return items;
}

const itemOf = (kind: Kind, { run, n, length, pad }: Json): Item => ({
  kind,
  run: String(run),
  n: Number(n),
  whole: (pad?.length ?? 0) === (length ?? 0),
});

function missingOf(event: string, value: Json): Partial<Record<Kind, number>> | undefined {
  if (event !== 'log') return undefined;
  if (value.missing && typeof value.missing === 'object') return value.missing;
  if (value.fields?.missing && typeof value.fields.missing === 'object') return value.fields.missing;
  const left = LEFT_OUT.exec(String(value.message));
  return left ? { log: Number(left[1]) } : undefined;
}

function parse(data: string): unknown {
  try {
    return JSON.parse(data);
  } catch {
    return {};
  }
}

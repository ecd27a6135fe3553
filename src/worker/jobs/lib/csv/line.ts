/** Why a line is not a record: a quoted field does not end in it, or a quote is misplaced. */
export type LineFault = 'unclosed' | 'misplaced';

export interface LineRules {
  delimiter: string;
  /** Removes spaces around fields and around their quotes. Defaults to false. */
  trim?: boolean;
  /** Treats quotes in the middle of a field (`5" pipe`) as text. Defaults to false. */
  loose?: boolean;
  /** Two quotes inside a quoted field mean one. Defaults to true. */
  doubled?: boolean;
  /** A delimiter after a backslash is text. Defaults to false. */
  escapes?: boolean;
  /** The original line, if each `\"` in the given one was replaced with `""`. Unquoted fields are read from it. */
  source?: string | undefined;
}

/**
 * Reads the fields of one line. For files with lines that csv-parse refuses: csv-parse has to restart at each of them,
 * which takes forty times as long.
 * @param line the line without its line end
 */
export function readFields(line: string, rules: LineRules): string[] | LineFault {
  const { delimiter, trim = false, loose = false, doubled = true, escapes = false, source } = rules;
  const isSpace = (at: number): boolean => trim && line[at] !== delimiter && /\s/.test(line[at] ?? '');
  const fields: string[] = [];
  for (let at = 0; ; at++) {
    let start = at;
    while (isSpace(start)) start++;
    if (line[start] !== '"') {
      let next = line.indexOf(delimiter, at);
      while (escapes && next !== -1 && isEscaped(line, next)) next = line.indexOf(delimiter, next + 1);
      const end = next === -1 ? line.length : next;
      if (!loose && line.slice(at, end).includes('"')) return 'misplaced';
      const text = source ? unescapeQuotes(source.slice(at, end)) : line.slice(at, end);
      fields.push(trim ? text.trim() : text);
      at = end;
    } else {
      let text = '';
      let from = start + 1;
      for (;;) {
        const quote = line.indexOf('"', from);
        if (quote === -1) return 'unclosed';
        const isDoubled = doubled && line[quote + 1] === '"';
        text += line.slice(from, isDoubled ? quote + 1 : quote);
        at = quote + 1;
        from = quote + 2;
        if (!isDoubled) break;
      }
      while (isSpace(at)) at++;
      if (at < line.length && line[at] !== delimiter) return 'misplaced';
      fields.push(text);
    }
    if (at >= line.length) return fields;
  }
}

/**
 * Reads a line with spaces around its quotes, or with quotes in the middle of fields (`5" pipe`).
 * @param doubtful whether the line may continue a quoted field that was rejected
 */
export function readLoosely(
  { source, doubled }: { source: string; doubled: string },
  { delimiter, padded }: { delimiter: string; padded: boolean },
  doubtful: boolean,
): string[] | LineFault {
  const trimmed = readFields(doubled, { delimiter, trim: true });
  if (typeof trimmed !== 'string') return trimmed;
  // This may be the end of a quoted field that was rejected, not the fields of a row.
  if (doubtful) {
    const tail = new RegExp(`"\\s*(${delimiter.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')}|$)`);
    if (tail.test(doubled.trimEnd())) return 'misplaced';
  }
  const original = doubled === source ? undefined : source;
  return readFields(doubled, { delimiter, trim: padded, loose: true, source: original });
}

/** Whether an odd number of backslashes precedes a position. */
function isEscaped(line: string, at: number): boolean {
  let run = 0;
  while (line[at - run - 1] === '\\') run++;
  return run % 2 === 1;
}

/** Replaces `\"` with a quote, except where the backslash is the second half of `\\`. */
const unescapeQuotes = (text: string): string =>
  text.replace(/\\([\\"])/g, (all, char) => (char === '"' ? char : all));

/** Why a line is no record by itself: a quoted field goes on after it, or a quote is where none may be. */
export type LineFault = 'unclosed' | 'misplaced';

export interface LineRules {
  delimiter: string;
  /** Leaves out the spaces around fields and around their quotes. */
  trim?: boolean;
  /** Takes quotes in the middle of fields (`5" pipe`) for text. */
  loose?: boolean;
  /** Two quotes in a quoted field are one of its content; on unless false. */
  doubled?: boolean;
  /** A delimiter after a backslash is text. */
  escapes?: boolean;
  /** The line before its `\"` became `""`; of the same length. Unquoted fields are taken from it. */
  source?: string | undefined;
}

/**
 * Reads the fields of one line, without its line end. For lines that csv-parse refuses: it has to begin anew at each of
 * them, which takes forty times as long.
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

/** Whether an odd number of backslashes is before a place. */
function isEscaped(line: string, at: number): boolean {
  let run = 0;
  while (line[at - run - 1] === '\\') run++;
  return run % 2 === 1;
}

/** Makes `\"` a quote, but not the second half of `\\` and the quote after it. */
const unescapeQuotes = (text: string): string =>
  text.replace(/\\([\\"])/g, (all, char) => (char === '"' ? char : all));

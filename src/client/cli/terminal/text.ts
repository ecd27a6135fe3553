import stringWidth from 'string-width';

/** Control characters, and characters that change the direction or the lines of a text (Unicode UAX #9, "Trojan source"). */
const UNSAFE = /\p{Cc}|[\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

/**
 * Escape sequences (ECMA-48, section 5): strings with their terminator (titles, links), control sequences, others.
 * Node's `stripVTControlCharacters` also removes words between a sequence and a bell.
 */
const ESCAPES =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the expression matches control characters
  /(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x90\x98\x9c-\x9f]*(?:\x07|\x1b\\|\x9c)|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b[ -/]*[0-~]/g;

const graphemes = new Intl.Segmenter();

/**
 * Makes foreign text (a job's log, a channel's data) safe to print in a terminal. Escape sequences are removed, and any
 * other control character becomes U+FFFD.
 * @returns the lines of the text
 */
export function safeLines(text: string): string[] {
  return text
    .replace(ESCAPES, '')
    .replace(/\t/g, '    ')
    .split(/\r\n|\n|\r/)
    .map((line) => line.replace(UNSAFE, '\ufffd'));
}

/** Like {@link safeLines}, as a single line. */
export const safeLine = (text: string): string => safeLines(text).join(' ');

/** Returns JSON that is safe to print in a terminal: control characters within strings are escaped. */
export const safeJson = (value: unknown, indent?: number): string =>
  (JSON.stringify(value, undefined, indent) ?? 'null').replace(UNSAFE, (character) =>
    character === '\n' ? character : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );

/** How many columns a text occupies: wide characters take two, combining characters none. */
export const columnsOf = (text: string): number => stringWidth(text);

/** Cuts a text to a number of columns, at a character boundary, with an ellipsis at the end. */
export function cut(text: string, columns: number): string {
  if (columnsOf(text) <= columns) return text;
  if (columns < 1) return '';
  let kept = '';
  let used = 0;
  for (const { segment } of graphemes.segment(text)) {
    used += columnsOf(segment);
    if (used > columns - 1) break;
    kept += segment;
  }
  return `${kept}…`;
}

/** Pads a text with spaces to a number of columns. */
export const pad = (text: string, columns: number): string =>
  text + ' '.repeat(Math.max(0, columns - columnsOf(text)));

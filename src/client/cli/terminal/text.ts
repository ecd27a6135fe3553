import stringWidth from 'string-width';

/** Control characters, and those that change the direction or the lines of a text (Unicode UAX #9, "Trojan source"). */
const UNSAFE = /\p{Cc}|[\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

/**
 * Escape sequences (ECMA-48, section 5): strings with their end (titles, links), control sequences, others. Node's own
 * `stripVTControlCharacters` takes words between a sequence and a bell for part of one.
 */
const ESCAPES =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is looked for
  /(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x90\x98\x9c-\x9f]*(?:\x07|\x1b\\|\x9c)|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b[ -/]*[0-~]/g;

const graphemes = new Intl.Segmenter();

/**
 * What somebody else has written (a job's log, a channel's data), as lines that do nothing in a terminal but stand there:
 * escape sequences are left out, any other control character is shown as U+FFFD.
 */
export function safeLines(text: string): string[] {
  return text
    .replace(ESCAPES, '')
    .replace(/\t/g, '    ')
    .split(/\r\n|\n|\r/)
    .map((line) => line.replace(UNSAFE, '\ufffd'));
}

/** The same on one line. */
export const safeLine = (text: string): string => safeLines(text).join(' ');

/** JSON that a terminal can be given as it is: the control characters that JSON allows in a string are escaped too. */
export const safeJson = (value: unknown, indent?: number): string =>
  (JSON.stringify(value, undefined, indent) ?? 'null').replace(UNSAFE, (character) =>
    character === '\n' ? character : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );

/** How many columns a text takes: wide characters take two, combining ones none. */
export const columnsOf = (text: string): number => stringWidth(text);

/** A text cut to a number of columns, never inside of a character; what is cut ends with an ellipsis. */
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

/** A text filled up with spaces to a number of columns. */
export const pad = (text: string, columns: number): string =>
  text + ' '.repeat(Math.max(0, columns - columnsOf(text)));

import type { JobEvent, JobEventData } from '../../../client/types.js';
import { fill, words } from '../words';

/** A line of a job's log. `number` counts all lines received, from 0, including those that were dropped since. */
export interface LogLine {
  number: number;
  line: JobEventData['log'];
}

/** The part of a job's log that the page holds. Immutable, except that the list of lines is shared and grows. */
export interface JobLog {
  readonly lines: ReadonlyArray<LogLine>;
  /** The number of lines in this log. The list may have grown since. */
  readonly length: number;
  /** How many lines at the beginning the page dropped, to keep the browser responsive. */
  readonly dropped: number;
  /** Whether the service no longer has the beginning. */
  readonly trimmed: boolean;
}

export const emptyLog: JobLog = { lines: [], length: 0, dropped: 0, trimmed: false };

export interface LogBounds {
  lines: number;
  /** In characters of messages. */
  text: number;
}

/** The limits for the log of one job in a browser. The service keeps less by default. */
const BOUNDS: LogBounds = { lines: 200_000, text: 32_000_000 };

/** Collects the log of one job from its events. */
export function createLog(bounds: LogBounds = BOUNDS): { add(event: JobEvent): void; get(): JobLog } {
  let lines: LogLine[] = [];
  let text = 0;
  let count = 0;
  let dropped = 0;
  let trimmed = false;

  /** Drops a tenth at once: dropping single lines would copy the list each time. */
  function bound(): void {
    if (lines.length <= bounds.lines && text <= bounds.text) return;
    let from = 0;
    let left = text;
    while (
      from < lines.length - 1 &&
      (lines.length - from > 0.9 * bounds.lines || left > 0.9 * bounds.text)
    ) {
      left -= lines[from]?.line.message.length ?? 0;
      from++;
    }
    lines = lines.slice(from);
    text = left;
    dropped += from;
  }

  return {
    add({ event, data }) {
      if (event === 'reset') {
        lines = [];
        text = count = dropped = 0;
        trimmed = data.reason === 'trimmed';
      } else if (event === 'log') {
        lines.push({ number: count++, line: data });
        text += data.message.length;
        bound();
      }
    },
    get: () => ({ lines, length: lines.length, dropped, trimmed }),
  };
}

/** Formats the fields of a line; empty if it has none. */
export const fieldsText = ({ fields }: JobEventData['log']): string =>
  fields && Object.keys(fields).length > 0 ? JSON.stringify(fields) : '';

/** Formats a line as text, for files and the clipboard. */
export function lineText(line: JobEventData['log']): string {
  const fields = fieldsText(line);
  return `${new Date(line.at).toISOString()} ${line.level} ${line.message}${fields ? ` ${fields}` : ''}`;
}

/** Returns the lines that contain a text, ignoring case. An empty text matches all lines. */
export type LogSearch = (log: JobLog, query: string) => ReadonlyArray<LogLine>;

/** Creates a search that examines only new lines when the same text is searched again. */
export function createLogSearch(): LogSearch {
  let before = { needle: '', lines: undefined as unknown, length: 0 };
  let found: LogLine[] = [];
  return ({ lines, length }, query) => {
    const needle = query.trim().toLowerCase();
    if (needle === '') return lines.slice(0, length);
    const continues = before.needle === needle && before.lines === lines && before.length <= length;
    const fresh = lines
      .slice(continues ? before.length : 0, length)
      .filter(({ line }) =>
        `${line.level} ${line.message} ${fieldsText(line)}`.toLowerCase().includes(needle),
      );
    found = continues ? [...found, ...fresh] : fresh;
    before = { needle, lines, length };
    return found;
  };
}

/** The note about missing lines; empty if there are none. */
export function missingLinesNote({ dropped, trimmed }: JobLog): string {
  return [trimmed ? words.log.trimmed : '', dropped > 0 ? fill(words.log.dropped, { count: dropped }) : '']
    .filter(Boolean)
    .join(' ');
}

/** Formats the whole log as text, after a note about missing lines. */
export function logText(log: JobLog): string {
  const missing = missingLinesNote(log);
  const lines = log.lines.slice(0, log.length).map(({ line }) => lineText(line));
  return `${[...(missing ? [`# ${missing}`] : []), ...lines].join('\n')}\n`;
}

import type { JobEvent, JobEventData } from '../../../client/types.js';

/** A line of a job's log. The number counts all lines that came, from 0: it stays the same when older ones are dropped. */
export interface LogLine {
  number: number;
  line: JobEventData['log'];
}

/** The log of a job as far as the page has it. Never changed, only replaced; the list of lines is shared and grows. */
export interface JobLog {
  readonly lines: ReadonlyArray<LogLine>;
  /** How many lines there are now: the list may have grown since. */
  readonly length: number;
  /** How many lines at the beginning were dropped here, to keep the browser usable. */
  readonly dropped: number;
  /** The service no longer has the beginning. */
  readonly trimmed: boolean;
}

export const emptyLog: JobLog = { lines: [], length: 0, dropped: 0, trimmed: false };

export interface LogBounds {
  lines: number;
  /** Characters of messages. */
  text: number;
}

/** A browser keeps this much of the log of each job. The service keeps less, unless it is configured otherwise. */
const BOUNDS: LogBounds = { lines: 200_000, text: 32_000_000 };

/** Collects the log of one job from its events. */
export function createLog(bounds: LogBounds = BOUNDS): { add(event: JobEvent): void; get(): JobLog } {
  let lines: LogLine[] = [];
  let text = 0;
  let count = 0;
  let dropped = 0;
  let trimmed = false;

  /** Drops a tenth at once: to do so for each line would copy the list each time. */
  function bound(): void {
    if (lines.length <= bounds.lines && text <= bounds.text) return;
    let from = 0;
    let left = text;
    while (
      from < lines.length - 1 &&
      (lines.length - from > 0.9 * bounds.lines || left > 0.9 * bounds.text)
    ) {
      left -= lines[from]!.line.message.length;
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

/** The fields of a line as they are shown; empty for none. */
export const fieldsText = ({ fields }: JobEventData['log']): string =>
  fields && Object.keys(fields).length > 0 ? JSON.stringify(fields) : '';

/** A line as text, for files and the clipboard. */
export function lineText(line: JobEventData['log']): string {
  const fields = fieldsText(line);
  return `${new Date(line.at).toISOString()} ${line.level} ${line.message}${fields ? ` ${fields}` : ''}`;
}

/** Finds the lines in which a text occurs, in whatever case; an empty text is in all of them. */
export type LogSearch = (log: JobLog, wanted: string) => ReadonlyArray<LogLine>;

/** A search that looks only at the lines that are new since it was last asked for the same text. */
export function createLogSearch(): LogSearch {
  let before = { needle: '', lines: undefined as unknown, length: 0 };
  let found: LogLine[] = [];
  return ({ lines, length }, wanted) => {
    const needle = wanted.trim().toLowerCase();
    if (needle === '') return lines.slice(0, length);
    const goesOn = before.needle === needle && before.lines === lines && before.length <= length;
    const fresh = lines
      .slice(goesOn ? before.length : 0, length)
      .filter(({ line }) =>
        `${line.level} ${line.message} ${fieldsText(line)}`.toLowerCase().includes(needle),
      );
    found = goesOn ? [...found, ...fresh] : fresh;
    before = { needle, lines, length };
    return found;
  };
}

/** What is said of the lines that are not there; empty when all are. */
export function missingWords({ dropped, trimmed }: JobLog): string {
  return [
    trimmed ? 'The service no longer keeps the beginning of this log.' : '',
    dropped > 0
      ? `The first ${dropped.toLocaleString('en')} lines are no longer in this tab: the log is too long for it.`
      : '',
  ]
    .filter(Boolean)
    .join(' ');
}

/** All the lines as a text; first of all what is missing. */
export function logText(log: JobLog): string {
  const missing = missingWords(log);
  const lines = log.lines.slice(0, log.length).map(({ line }) => lineText(line));
  return `${[...(missing ? [`# ${missing}`] : []), ...lines].join('\n')}\n`;
}

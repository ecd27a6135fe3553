import { createPaint, hasColours } from '../terminal/colour.js';
import { pad } from '../terminal/text.js';

/** Prints a line of a process. */
export type PrintLine = (name: string, line: string) => void;

const LEVELS: Record<number, string> = { 40: 'warning: ', 50: 'error: ', 60: 'fatal: ' };

/** Returns a function that prints lines after the name of their process, with names of equal width. */
export function createLinePrinter(names: string[]): PrintLine {
  const paint = createPaint(hasColours(process.stdout));
  const width = Math.max(...names.map((name) => name.length));
  return (name, line) =>
    void process.stdout.write(`${paint('cyan', `${pad(name, width)} |`)} ${readable(line)}\n`);
}

/** Makes text of the JSON that Headway logs. Other lines are the developer's own, and returned as they are. */
export function readable(line: string): string {
  if (!line.startsWith('{"level":')) return line;
  try {
    const { level, msg = '', err } = JSON.parse(line);
    return `${LEVELS[level] ?? ''}${msg}${err ? ` (${err.message})` : ''}`;
  } catch {
    return line;
  }
}

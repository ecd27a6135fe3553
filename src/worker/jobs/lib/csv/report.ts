import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';

const MAX_ROWS = 100_000;
const MAX_VALUE = 200;

/** The report of rejected rows: a CSV file with the columns line, column, reason, value. */
export class RejectionReport {
  /** How many rows were rejected for each kind of reason. */
  readonly reasons = new Map<string, number>();
  private readonly out;
  private written = 0;
  private leftOut = 0;

  constructor(path: string) {
    this.out = createWriteStream(path, { mode: 0o600 });
    this.out.write('line,column,reason,value\n');
  }

  add(line: number, column: string, reason: string, value: string): void {
    this.reasons.set(reason, (this.reasons.get(reason) ?? 0) + 1);
    if (this.written === MAX_ROWS) {
      this.leftOut++;
      return;
    }
    this.written++;
    this.out.write(`${[String(line), column, reason, shortened(value)].map(toField).join(',')}\n`);
  }

  /** The commonest reasons, with how many rows each has rejected. */
  summary(): string {
    const sorted = [...this.reasons].sort(([, one], [, other]) => other - one);
    const shown = sorted.slice(0, 3).map(([reason, count]) => `${count} × ${reason}`);
    return `${shown.join(', ')}${sorted.length > shown.length ? ' and other reasons' : ''}`;
  }

  /** Resolves when the disk has kept up. */
  async drained(): Promise<void> {
    if (this.out.writableNeedDrain) await once(this.out, 'drain');
  }

  async close(): Promise<void> {
    if (this.leftOut > 0) this.out.write(`,,"${this.leftOut} more rejected rows are not listed",\n`);
    this.out.end();
    await finished(this.out);
  }
}

const shortened = (value: string): string =>
  value.length > MAX_VALUE ? `${value.slice(0, MAX_VALUE).replace(/[\ud800-\udbff]$/, '')}…` : value;

/**
 * A field by RFC 4180 that a spreadsheet takes for text: what begins like a formula gets an apostrophe (OWASP, CSV
 * injection), and control characters are shown as the pictures that Unicode has of them.
 */
function toField(text: string): string {
  const shown = text
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is replaced
    .replace(/[\0-\x08\x0b\x0c\x0e-\x1f]/g, (char) => String.fromCharCode(0x2400 + char.charCodeAt(0)))
    .replace(/[\x7f-\x9f]/g, '\u2421');
  const safe = /^\s*[=+\-@＝＋－＠]|^[\t\r\n]/.test(shown) ? `'${shown}` : shown;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

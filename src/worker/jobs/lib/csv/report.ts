import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';

const MAX_ROWS = 100_000;
const MAX_VALUE = 200;

/** Writes the report of rejected rows: a CSV file with the columns line, column, reason and value. */
export class RejectionReport {
  /** Number of rejected rows by reason. */
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

  /** Lists the three most frequent reasons with their counts. */
  summary(): string {
    const sorted = [...this.reasons].sort(([, one], [, other]) => other - one);
    const shown = sorted.slice(0, 3).map(([reason, count]) => `${count} × ${reason}`);
    return `${shown.join(', ')}${sorted.length > shown.length ? ' and other reasons' : ''}`;
  }

  /** Resolves when the write buffer has room. */
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
 * Encodes a field by RFC 4180 so that spreadsheets treat it as text: an apostrophe precedes what looks like a formula
 * (OWASP, CSV injection), and control characters are replaced with their Unicode pictures.
 */
function toField(text: string): string {
  const shown = text
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is replaced
    .replace(/[\0-\x08\x0b\x0c\x0e-\x1f]/g, (char) => String.fromCharCode(0x2400 + char.charCodeAt(0)))
    .replace(/[\x7f-\x9f]/g, '\u2421');
  const safe = /^\s*[=+\-@＝＋－＠]|^[\t\r\n]/.test(shown) ? `'${shown}` : shown;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

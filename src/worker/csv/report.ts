import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';

const MAX_ROWS = 100_000;
const MAX_VALUE = 200;

/** The report of rejected rows: a CSV file with the columns line, column, reason, value. */
export class RejectionReport {
  private readonly out;
  private written = 0;
  private leftOut = 0;

  constructor(path: string) {
    this.out = createWriteStream(path, { mode: 0o600 });
    this.out.write('line,column,reason,value\n');
  }

  add(line: number, column: string, reason: string, value: string): void {
    if (this.written === MAX_ROWS) {
      this.leftOut++;
      return;
    }
    this.written++;
    this.out.write(`${[String(line), column, reason, value.slice(0, MAX_VALUE)].map(quote).join(',')}\n`);
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

const quote = (field: string): string =>
  /[",\r\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field;

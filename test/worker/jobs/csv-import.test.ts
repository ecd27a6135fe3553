import { readdirSync } from 'node:fs';
import { dirname } from 'node:path';
import Database from 'libsql';
import { describe, expect, it } from 'vitest';
import definition from '../../../src/worker/jobs/csv-import.js';
import { openTestStore, runOnFile } from '../../support/run-job.js';

// biome-ignore lint/suspicious/noExplicitAny: the type of the input depends on the schema
const job = definition as any;

async function importCsv(content: string | Uint8Array, data: Record<string, unknown> = {}) {
  const run = await runOnFile(job, content, { data });
  const database = new Database(run.store.path(run.result.database.id), { readonly: true } as never);
  const rows = database.prepare('SELECT * FROM data').raw().all() as unknown[][];
  const schema = (
    database.prepare("SELECT sql FROM sqlite_schema WHERE name = 'data'").get() as { sql: string }
  ).sql;
  database.close();
  return { ...run, rows, schema, report: run.content(run.result.report.id).toString() };
}

describe('csv-import', () => {
  it('detects columns and types, imports valid rows, and reports why the others were rejected', async () => {
    const lines = Array.from(
      { length: 20 },
      (_, i) => `${i},"name, ${i}",${i}.5,${i % 2 === 0},2026-01-${10 + i}`,
    );
    lines[3] = 'x,wrong,1.5,true,2026-01-13';
    lines[7] = '7,too,few';
    lines[11] = '11,bad date,1.5,true,2026-02-30';
    const { result, rows, schema, report, log } = await importCsv(
      `id,name,price,paid,on\n${lines.join('\n')}\n`,
    );
    expect(result).toMatchObject({ rows: 20, imported: 17, rejected: 3 });
    expect(result.columns).toEqual([
      { name: 'id', type: 'integer' },
      { name: 'name', type: 'text' },
      { name: 'price', type: 'number' },
      { name: 'paid', type: 'boolean' },
      { name: 'on', type: 'date' },
    ]);
    expect(schema).toBe(
      'CREATE TABLE data ("id" INTEGER, "name" TEXT, "price" REAL, "paid" INTEGER, "on" TEXT)',
    );
    expect(rows).toHaveLength(17);
    expect(rows[0]).toEqual([0, 'name, 0', 0.5, 1, '2026-01-10']);
    expect(report).toBe(
      [
        'line,column,reason,value',
        '5,id,not of type integer,x',
        '9,,3 fields instead of 5,7 | too | few',
        '13,on,not of type date,2026-02-30',
        '',
      ].join('\n'),
    );
    expect(log.at(-1)).toBe('rows rejected: 3; see the report for the reasons');
  });

  it('reports both stages up to 100 % without going backwards', async () => {
    const { seen } = await importCsv(`a,b\n${'1,2\n'.repeat(12_000)}`);
    expect([...new Set(seen.map(({ stage }) => stage))]).toEqual(['detect', 'import']);
    const percents = seen.map(({ percent }) => percent!);
    expect(percents).toEqual([...percents].sort((a, b) => a - b));
    expect(seen.at(-1)).toMatchObject({
      percent: 100,
      current: 12_000,
      total: 12_000,
      unit: 'rows',
      stageIndex: 2,
      stageCount: 2,
    });
  });

  it.each([
    ['semicolons', 'a;b\n1;2\n', {}, [[1, 2]]],
    ['tabs', 'a\tb\n1\t2\n', {}, [[1, 2]]],
    ['a delimiter from the input', 'a^b\n1^2\n', { delimiter: '^' }, [[1, 2]]],
    ['a byte order mark, and Windows line ends', '\ufeffa,b\r\n1,2\r\n', {}, [[1, 2]]],
    ['no line end at the end', 'a,b\n1,2', {}, [[1, 2]]],
    ['empty lines', 'a,b\n\n1,2\n\n\n', {}, [[1, 2]]],
    ['line breaks and quotes in a field', 'a,b\n"x\ny","say ""hi"""\n', {}, [['x\ny', 'say "hi"']]],
    [
      'empty values',
      'a,b\n,2\n1,\n',
      {},
      [
        [null, 2],
        [1, null],
      ],
    ],
    ['one column', 'a\n1\n2\n', {}, [[1], [2]]],
    [
      'postal codes and long numbers',
      'zip,big\n01234,12345678901234567890\n',
      {},
      [['01234', '12345678901234567890']],
    ],
    ['only a header', 'a,b\n', {}, []],
    ['values that look like SQL', `a\n"'); DROP TABLE data;--"\n`, {}, [["'); DROP TABLE data;--"]]],
  ])('takes %s', async (_what, content, data, expected) => {
    const { rows, result } = await importCsv(content, data);
    expect(rows).toEqual(expected);
    expect(result.rejected).toBe(0);
  });

  it('turns any header into valid names of SQLite columns', async () => {
    const { result, schema } = await importCsv('a,A,,"x"" INTEGER); DROP",select\n1,2,3,4,5\n');
    expect(result.columns.map(({ name }: { name: string }) => name)).toEqual([
      'a',
      'A_2',
      'column_3',
      'x" INTEGER); DROP',
      'select',
    ]);
    expect(schema).toContain('"x"" INTEGER); DROP" INTEGER');
  });

  it.each([
    ['an empty file', '', /the file is empty/],
    ['an image', Buffer.from([0x89, 0x50, 0x4e, 0x47, 0, 0, 0, 1]), /not a CSV file/],
    ['an HTML page', '\ufeff\n<!DOCTYPE html>\n<html><body>Sign in</body></html>\n', /HTML or XML/],
    ['an XML file', '<?xml version="1.0"?>\n<r><a>1</a></r>\n', /HTML or XML/],
    ['JSON', '[\n  {\n    "a": 1,\n    "b": 2\n  }\n]\n', /it is JSON/],
    ['an Excel workbook', Buffer.from('PK\x03\x04rest'), /Excel workbook/],
    [
      'too many columns',
      `${Array.from({ length: 2001 }, (_, i) => `c${i}`).join(',')}\n`,
      /has 2001 columns; SQLite supports at most 2000/,
    ],
    ['a header with an unclosed quote', `"${'x'.repeat(2_000_000)}`, /header/],
  ])('fails permanently with a reason for %s', async (_what, content, message) => {
    const error = (await runOnFile(job, content).catch((thrown) => thrown)) as Error & {
      permanent?: boolean;
    };
    expect(error.message).toMatch(message);
    expect(error.permanent).toBe(true);
  });

  it('rejects rows that are not valid UTF-8', async () => {
    const { result, rows, report } = await importCsv(
      Buffer.concat([
        Buffer.from('id,name\n1,Zoë Åström\n2,'),
        Buffer.from('José', 'latin1'),
        Buffer.from('\n3,Grace\n'),
      ]),
    );
    expect(result).toMatchObject({ rows: 3, imported: 2, rejected: 1 });
    expect(rows).toEqual([
      [1, 'Zoë Åström'],
      [3, 'Grace'],
    ]);
    expect(report).toMatch(/^3,,not UTF-8,/m);
  });

  it('rejects a row with an unclosed quote and continues with the next one', async () => {
    const { result } = await importCsv(`a,b\n1,2\n3,"open\n${'4,5\n'.repeat(10)}`);
    expect(result.imported).toBeGreaterThanOrEqual(1);
    expect(result.rejected).toBeGreaterThanOrEqual(1);
    expect(result.imported + result.rejected).toBe(result.rows);
  });

  it('leaves no files behind when it is stopped', async () => {
    const stop = new AbortController();
    const store = openTestStore();
    const running = runOnFile(job, `a,b\n${'1,2\n'.repeat(500_000)}`, { signal: stop.signal, store });
    setTimeout(() => stop.abort(new Error('stopped')), 300);
    await expect(running).rejects.toThrow();
    // The folder of a file is in the folder of the store.
    const root = dirname(dirname(store.path(`file_${'A'.repeat(27)}`)));
    expect(readdirSync(`${root}/tmp`)).toEqual([]);
  });
});

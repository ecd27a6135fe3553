import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import { describe, expect, it } from 'vitest';
import { openCsv, readRecords } from '../../../../../src/worker/jobs/lib/csv/records.js';
import { RecordSplitter } from '../../../../../src/worker/jobs/lib/csv/splitter.js';
import { temporaryFolder } from '../../../../support/folder.js';

const path = join(temporaryFolder(), 'file.csv');
const { signal } = new AbortController();

/** Reads a file with these lines. Each row is returned as its fields, or as the reason why it is rejected. */
async function read(...lines: string[]) {
  writeFileSync(path, `${lines.join('\n')}\n`);
  const encoding = { encoding: 'utf-8', damaged: false, guessed: false } as const;
  const source = await openCsv(path, encoding, undefined, signal);
  const rows: (string[] | string)[] = [];
  for await (const records of readRecords(source, signal)) {
    for (const record of records) rows.push('fields' in record ? record.fields : record.error);
  }
  return { rows, source };
}

const raw = String.raw;

describe('a file that escapes quotes with backslashes', () => {
  it.each<[string, string[], (string[] | RegExp)[]]>([
    [
      'phpMyAdmin: quotes at the end of fields, backslashes escaped',
      [raw`"id","note"`, raw`"1","5\""`, raw`"2","\"\""`, raw`"3",""`, raw`"4","C:\\"`, raw`"5","\\\"x"`],
      [
        ['id', 'note'],
        ['1', '5"'],
        ['2', '""'],
        ['3', ''],
        ['4', 'C:\\'],
        ['5', '\\"x'],
      ],
    ],
    [
      'MySQL: NULL, escaped line breaks, no header',
      [raw`"1","He said \"hi\"",\N`, '"2","line\\', 'break",5', raw`"3","nul \0",6`],
      [['1', 'He said "hi"', '\\N'], ['2', 'line\nbreak', '5'], /NUL/],
    ],
    [
      'MySQL: without quotes, with escaped tabs and backslashes',
      ['1\tAda\\\tLovelace\t\\N', '2\tC:\\\\dir\t5', '3\tplain\t6', '4\tend\\\\\t7'],
      [
        ['1', 'Ada\tLovelace', '\\N'],
        ['2', 'C:\\dir', '5'],
        ['3', 'plain', '6'],
        ['4', 'end\\', '7'],
      ],
    ],
    [
      'MySQL: NULL and escaped backslashes, but no quote in any field',
      ['id,dir,n', raw`1,"C:\\dir\\",\N`, raw`2,"D:\\",5`],
      [
        ['id', 'dir', 'n'],
        ['1', 'C:\\dir\\', '\\N'],
        ['2', 'D:\\', '5'],
      ],
    ],
    [
      'Spark: backslashes are not escaped',
      ['id,path', raw`1,"C:\new, \"old\""`, raw`2,C:\table`, raw`3,"C:\"`, raw`4,"a\\"`, raw`5,"\"ok\""`],
      [
        ['id', 'path'],
        ['1', 'C:\\new, "old"'],
        ['2', 'C:\\table'],
        /quote after a backslash ends its field.*ambiguous/,
        /two backslashes.*ambiguous/,
        ['5', '"ok"'],
      ],
    ],
    [
      'JSON in fields',
      ['id;json', raw`1;"{\"a\":1;\"b\":\"x\"}"`, raw`2;"[\"a\\\"b\"]"`],
      [
        ['id', 'json'],
        ['1', '{"a":1;"b":"x"}'],
        ['2', raw`["a\"b"]`],
      ],
    ],
    [
      'without quotes around fields',
      ['id;item', raw`1;5\" pipe`],
      [
        ['id', 'item'],
        ['1', '5" pipe'],
      ],
    ],
    [
      'a quoted field over two lines',
      ['id,t', raw`1,"say \"x`, raw`and \"y\""`, '2,"b"'],
      [
        ['id', 't'],
        ['1', 'say "x\nand "y"'],
        ['2', 'b'],
      ],
    ],
    [
      'some backslashes escaped, others not, starting in a late row',
      ['a,b', ...Array.from({ length: 300 }, () => '"x",1'), raw`"p \"q\" \\ r",1`, raw`"C:\new",2`],
      [
        ['a', 'b'],
        ...Array.from({ length: 300 }, () => ['x', '1']),
        [raw`p "q" \\ r`, '1'],
        [raw`C:\new`, '2'],
      ],
    ],
  ])('is read correctly: %s', async (_what, lines, expected) => {
    const { rows } = await read(...lines);
    expect(rows).toHaveLength(expected.length);
    for (const [i, row] of expected.entries()) {
      if (row instanceof RegExp) expect(rows[i]).toMatch(row);
      else expect(rows[i]).toEqual(row);
    }
  });

  it('is marked doubtful when only some backslashes look escaped', async () => {
    const { source } = await read('a,b', raw`"x \"y\"",1`, raw`"p \\ q",2`, raw`"C:\new",3`);
    expect(source).toMatchObject({ backslashes: 'kept', backslashesDoubtful: true });
  });
});

describe('a file that follows RFC 4180', () => {
  it.each<[string, string[], string[][]]>([
    [
      'folders',
      ['dir,n', raw`"C:\",1`, raw`"D:\x\",2`],
      [
        ['dir', 'n'],
        ['C:\\', '1'],
        ['D:\\x\\', '2'],
      ],
    ],
    [
      'a folder before a delimiter, and NULL',
      ['dir,n,m', raw`C:\,1,\N`, raw`D:\,2,3`],
      [
        ['dir', 'n', 'm'],
        ['C:\\', '1', '\\N'],
        ['D:\\', '2', '3'],
      ],
    ],
    [
      'NULL as written by Hive',
      ['dir,n', raw`C:\new,\N`, raw`\\server,1`],
      [
        ['dir', 'n'],
        ['C:\\new', '\\N'],
        ['\\\\server', '1'],
      ],
    ],
    ['folders in one column', ['dir', raw`"C:\"`, raw`"D:\"`], [['dir'], ['C:\\'], ['D:\\']]],
    [
      'folders in a row',
      ['a,b,c', raw`"C:\","D:\",""`, raw`"C:\","","D:\"`],
      [
        ['a', 'b', 'c'],
        ['C:\\', 'D:\\', ''],
        ['C:\\', '', 'D:\\'],
      ],
    ],
    [
      'a backslash before a doubled quote',
      ['id,json', raw`1,"{""a"":""x \""q\"" ""}"`, raw`2,"\"""`],
      [
        ['id', 'json'],
        ['1', raw`{"a":"x \"q\" "}`],
        ['2', '\\"'],
      ],
    ],
  ])('keeps its backslashes: %s', async (_what, lines, expected) => {
    expect((await read(...lines)).rows).toEqual(expected);
  });

  it('rejects ambiguous rows that use the other convention', async () => {
    const { rows } = await read('a,b', '1,"a ""b"" c"', '2,"""d"""', raw`3,"{\"k\": 1}"`, raw`4,"C:\"`);
    expect(rows.slice(2)).toEqual([
      ['2', '"d"'],
      expect.stringMatching(/a backslash before a quote.*ambiguous/),
      ['4', 'C:\\'],
    ]);
  });
});

it.each([
  ['in mid-field', (i: number) => `${i},5" pipe,"a, b"`],
  ['misplaced', (i: number) => `${i},"a"b"`],
  ['after spaces', (i: number) => `${i}, "a, b" `],
])('does not restart csv-parse for quotes %s in every line', (_where, line) => {
  let calls = 0;
  const counted = ((...args: Parameters<typeof parse>) => {
    calls++;
    return parse(...args);
  }) as typeof parse;
  const splitter = new RecordSplitter(counted, { delimiter: ',', padded: false });
  const text = Array.from({ length: 500 }, (_, i) => `${line(i)}\n`).join('');
  expect([...splitter.push(Buffer.from(text)), ...splitter.end()]).toHaveLength(500);
  expect(calls).toBeLessThan(10);
});

it('reads lines that csv-parse refuses by the same rules as other lines', () => {
  const splitter = new RecordSplitter(parse, { delimiter: ',', padded: true });
  const lines = ['a, 5" pipe, x', 'b, 6" pipe, "y, z" ', ' ', 'c, "q" r, x', 'd, plain, "e ""f"""'];
  const records = [...splitter.push(Buffer.from(`${lines.join('\n')}\n`)), ...splitter.end()];
  expect(records).toEqual([
    { line: 1, fields: ['a', '5" pipe', 'x'] },
    { line: 2, fields: ['b', '6" pipe', 'y, z'] },
    { line: 4, error: 'misplaced quote', excerpt: 'c, "q" r, x' },
    { line: 5, fields: ['d', 'plain', 'e "f"'] },
  ]);
  expect(splitter.blank).toBe(1);
});

import iconv from 'iconv-lite';
import Database from 'libsql';
import { describe, expect, it } from 'vitest';
import definition from '../../../../../src/worker/jobs/csv-import.js';
import { runOnFile } from '../../../../support/run-job.js';

// biome-ignore lint/suspicious/noExplicitAny: the type of the input depends on the schema
const job = definition as any;

interface Shape {
  what: string;
  content: string | Buffer;
  data?: Record<string, unknown>;
  /** Types of the columns: i(nteger), n(umber), b(oolean), d(ate), t(ext). */
  kinds: string;
  imported: number;
  rejected?: number;
  names?: string[];
  /** A row that must be in the table with these values. */
  row?: unknown[];
  warnings?: RegExp[];
}

const rows = (count: number, line: (i: number) => string, end = '\n'): string =>
  Array.from({ length: count }, (_, i) => line(i + 1)).join(end) + end;
const day = (i: number): string => String(1 + (i % 28)).padStart(2, '0');

const germanBank = `"Umsatzanzeige";"Datei erstellt am: 01.02.2024 10:00"\n\n"IBAN";"DE12 3456"\n"Kontostand";"1.234,56 EUR"\n\n"Buchung";"Wertstellung";"Auftraggeber";"Betrag"\n${rows(12, (i) => `"${day(i)}.01.2024";"${day(i)}.01.2024";"Müller & Söhne";"-${i},50"`)}`;

const shapes: Shape[] = [
  {
    what: 'German bank export: titles, decimal commas',
    content: germanBank,
    kinds: 'tttt',
    imported: 12,
    names: ['Buchung', 'Wertstellung', 'Auftraggeber', 'Betrag'],
    row: ['02.01.2024', '02.01.2024', 'Müller & Söhne', '-1,50'],
    warnings: [/^5 lines before the header/],
  },
  {
    what: 'the same in Windows-1252',
    content: iconv.encode(germanBank, 'windows-1252'),
    kinds: 'tttt',
    imported: 12,
    row: ['02.01.2024', '02.01.2024', 'Müller & Söhne', '-1,50'],
    warnings: [/Windows-1252/, /^5 lines/],
  },
  {
    what: 'British bank export: trailing delimiters in the rows only',
    content: `Date,Type,Description,Value,Balance\n${rows(10, (i) => `2024-01-${day(i)},DEB,SHOP ${i},-${i}.10,${100 - i}.90,`)}`,
    kinds: 'dttnn',
    imported: 10,
  },
  {
    what: 'French bank export, Windows-1252',
    content: iconv.encode(
      `Date;Libellé;Débit;Crédit\r\n${rows(5, (i) => `0${i}/02/2024;Prélèvement n° ${i};45,10;`, '\r\n')}`,
      'windows-1252',
    ),
    kinds: 'tttt',
    imported: 5,
    row: ['01/02/2024', 'Prélèvement n° 1', '45,10', null],
    warnings: [/Windows-1252/],
  },
  {
    what: 'American card export with a quoted header with commas',
    content: `"Date, posted";"Amount, USD"\n01/02/2024;1,50\n01/03/2024;2,50\n`,
    kinds: 'tt',
    imported: 2,
    names: ['Date, posted', 'Amount, USD'],
  },
  {
    what: 'Excel, sep=;',
    content: 'sep=;\r\nName;Tags\r\nAda;a,b,c\r\nBob;d,e,f\r\n',
    kinds: 'tt',
    imported: 2,
    row: ['Ada', 'a,b,c'],
  },
  {
    what: 'Excel, sep=, against semicolons in text',
    content: '\ufeffsep=,\r\na,b\r\n1;2;3,x\r\n4;5;6,y\r\n',
    kinds: 'tt',
    imported: 2,
    row: ['1;2;3', 'x'],
  },
  {
    what: 'Excel, Unicode text (UTF-16 LE with tabs)',
    content: iconv.encode('\ufeffName\tAlter\r\nJürgen\t36\r\nŁukasz\t45\r\n', 'utf-16le'),
    kinds: 'ti',
    imported: 2,
    row: ['Łukasz', 45],
  },
  {
    what: 'UTF-16 BE without a byte order mark',
    content: iconv.encode('Name,Age\nZoë,36\nЮлия,45\n', 'utf-16be'),
    kinds: 'ti',
    imported: 2,
    row: ['Юлия', 45],
  },
  {
    what: 'Excel, Spanish, blank rows at the end',
    content: `Año;País;Número\r\n2024;España;1\r\n2025;Perú;2\r\n;;\r\n;;\r\n`,
    kinds: 'iti',
    imported: 2,
    warnings: [/^2 blank rows skipped/],
  },
  {
    what: 'Excel, Polish, encoding given',
    content: iconv.encode('Imię;Miasto\nŁukasz;Łódź\nZażółć;Gdańsk\n', 'windows-1250'),
    data: { encoding: 'windows-1250' },
    kinds: 'tt',
    imported: 2,
    row: ['Łukasz', 'Łódź'],
  },
  {
    what: 'Excel, Japanese, encoding given',
    content: iconv.encode('名前,市\n田中,東京\n', 'shift_jis'),
    data: { encoding: 'shift_jis' },
    kinds: 'tt',
    imported: 1,
    row: ['田中', '東京'],
  },
  { what: 'Excel for Mac, CR line ends', content: 'a,b\r1,x\r2,y\r', kinds: 'it', imported: 2 },
  {
    what: 'phpMyAdmin: everything quoted, NULL',
    content: `"id","name","deleted_at"\n${rows(9, (i) => `"${i}","user ""${i}""",${i % 2 ? 'NULL' : '"2024-01-02 10:00:00"'}`)}`,
    kinds: 'itd',
    imported: 9,
    row: [1, 'user "1"', null],
  },
  {
    what: 'MySQL: quotes escaped with backslashes, \\N in columns of text and of numbers',
    content: `"id","name","size","phone"\n${rows(9, (i) => String.raw`"${i}","the \"${i}\"",${i % 2 ? String.raw`\N` : i},${i % 2 ? String.raw`\N` : `"+49${i}"`}`)}`,
    kinds: 'itit',
    imported: 9,
    row: [1, 'the "1"', null, null],
  },
  {
    what: 'phpMyAdmin without names',
    content: `"1","Ada","36"\n"2","Bob","45"\n"3","Cy","28"\n`,
    data: { header: 'none' },
    kinds: 'iti',
    imported: 3,
    names: ['column_1', 'column_2', 'column_3'],
  },
  {
    what: 'the same without `header: "none"`',
    content: `"1","Ada","36"\n"2","Bob","45"\n"3","Cy","28"\n`,
    kinds: 'iti',
    imported: 2,
    warnings: [/first line looks like a row/],
  },
  {
    what: 'Google Forms: commas and line breaks in answers',
    content: `Timestamp,"What, exactly?",Phone\n2024/01/02 10:00:00 AM GMT+1,"One\ntwo, three",+49 30 123\n2024/01/02 11:00:00 AM GMT+1,"No",+4930124\n`,
    kinds: 'ttt',
    imported: 2,
    row: ['2024/01/02 11:00:00 AM GMT+1', 'No', '+4930124'],
  },
  {
    what: 'payments: ids that look like numbers',
    content: `id,Card Last4,Amount,Captured,Fingerprint\n${rows(20, (i) => `ch_${i},${i === 7 ? '0042' : 4200 + i},${i}.50,true,${i === 9 ? '713752e1' : 71375200 + i}`)}`,
    kinds: 'ttnbt',
    imported: 20,
    row: ['ch_7', '0042', 7.5, 1, '71375207'],
  },
  {
    what: 'order numbers beyond 2^53',
    content: `order,qty\n${rows(20, (i) => `${i === 20 ? '9007199254740993' : i},${i}`)}`,
    kinds: 'ti',
    imported: 20,
    row: ['9007199254740993', 20],
  },
  {
    what: 'phone numbers among plain ones',
    content: `phone\n${rows(20, (i) => (i === 3 ? '+15551234' : `555000${i}`))}`,
    kinds: 't',
    imported: 20,
    row: ['+15551234'],
  },
  {
    what: 'sensor log: scientific numbers, signs',
    content: `time;value;raw\n${rows(10, (i) => `2024-01-${day(i)}T10:00:00Z;-${i % 9}.25E-05;0.30000000000000004`)}`,
    kinds: 'dnn',
    imported: 10,
    row: ['2024-01-02T10:00:00Z', -0.0000125, 0.30000000000000004],
  },
  {
    what: 'sensor log: comments before the header',
    content: `# station: A1\n# lat 52, lon 13\ntime,temp,rh\n${rows(5, (i) => `2024-01-${day(i)},${i}.5,4${i}`)}`,
    kinds: 'dni',
    imported: 5,
    warnings: [/^2 lines before/],
  },
  {
    what: 'sensor log: a block of NULs after a power cut',
    content: Buffer.concat([
      Buffer.from(`t,v\n${rows(5, (i) => `${i},1`)}`),
      Buffer.alloc(40),
      Buffer.from(`\n${rows(5, (i) => `${i},2`)}`),
    ]),
    kinds: 'ii',
    imported: 10,
    rejected: 1,
    warnings: [/^1 of 11 rows rejected: 1 × contains a NUL/],
  },
  {
    what: 'padded with spaces',
    content: 'id , name  , "note, long"\n1  , Ada   , "x, y"\n2  , Bob   , "z"\n',
    kinds: 'itt',
    imported: 2,
    names: ['id', 'name', 'note, long'],
    row: [1, 'Ada', 'x, y'],
  },
  {
    what: 'spaces in one row only',
    content: 'id,name\n1,Ada\n 2 , Bob\n3, "C, D"\n',
    kinds: 'it',
    imported: 3,
    row: [2, ' Bob'],
  },
  {
    what: 'mixed line ends',
    content: 'a,b\r\n1,x\n2,y\r3,z\r\n4,w',
    kinds: 'it',
    imported: 4,
    row: [4, 'w'],
  },
  { what: 'a header that ends in CR, rows in LF', content: 'a,b\r1,x\n2,y\n', kinds: 'it', imported: 2 },
  {
    what: 'a header that ends in LF, rows in CR LF',
    content: 'a,b\n1,x\r\n2,y\r\n',
    kinds: 'it',
    imported: 2,
    row: [2, 'y'],
  },
  {
    what: 'inches in mid-field',
    content: `id,item\n1,5" pipe\n2,19" screen\n3,plain\n`,
    kinds: 'it',
    imported: 3,
    row: [1, '5" pipe'],
  },
  { what: 'a column with only empty strings', content: 'a\n""\n""\n', kinds: 't', imported: 2, row: [null] },
  {
    what: 'an empty column among others',
    content: 'a,b\n1,""\n2,\n',
    kinds: 'it',
    imported: 2,
    row: [1, null],
  },
  {
    what: 'a delimiter at the end of every line',
    content: 'a;b;\n1;2;\n3;4;\n',
    kinds: 'ii',
    imported: 2,
    names: ['a', 'b'],
  },
  {
    what: 'a genuine U+FFFD, an emoji, a control character',
    content: 'a,b\n1,\ufffd\n2,😀\n3,\x07x\n',
    kinds: 'it',
    imported: 3,
    row: [1, '\ufffd'],
  },
  {
    what: 'decimal commas in one column of text',
    content: 'value\n"1,5"\n"2,5"\n',
    kinds: 't',
    imported: 2,
    row: ['1,5'],
  },
  {
    what: 'names with commas in one column',
    content: 'name\n"Smith, John"\n"Doe, Jane"\n',
    kinds: 't',
    imported: 2,
  },
  { what: 'pipes', content: 'id|name|tags\n1|Ada|a,b;c\n2|Bob|d,e;f\n', kinds: 'itt', imported: 2 },
  {
    what: 'Brazilian bank export, Windows-1252: a title line, a totals row, a delimiter at the end',
    content: iconv.encode(
      `Extrato de: Ag: 1234 | Conta: 5678-9;\r\nData;Histórico;Docto.;Crédito (R$);Saldo (R$)\r\n${rows(4, (i) => `0${i}/03/2024;PIX JOÃO;00${i}2;1.00${i},00;2.00${i},00`, '\r\n')};;Total;4.010,00;\r\n`,
      'windows-1252',
    ),
    kinds: 'ttttt',
    imported: 5,
    row: [null, null, 'Total', '4.010,00', null],
    warnings: [/Windows-1252/, /^1 line before/],
  },
  {
    what: 'Polish bank export, encoding given: names with #, quotes of one kind, spaces in numbers',
    content: iconv.encode(
      `mBank S.A.;\r\nKlient;JAN ŻÓŁĆ;\r\n\r\n#Data;#Opis;#Rachunek;#Kwota;\r\n${rows(4, (i) => `2024-03-0${i};ŻABKA Łódź;'00 1140';-1 23${i},50 PLN;`, '\r\n')}`,
      'windows-1250',
    ),
    data: { encoding: 'windows-1250' },
    kinds: 'dttt',
    imported: 4,
    row: ['2024-03-01', 'ŻABKA Łódź', "'00 1140'", '-1 231,50 PLN'],
    warnings: [/^3 lines before/],
  },
  {
    what: 'thousands separated by points, as in German',
    content: 'Ort;Einwohner;Anteil\nBonn;331.885;12,5\nX;2.500;1,5\nY;12;0,5\n',
    kinds: 'ttt',
    imported: 3,
    row: ['X', '2.500', '1,5'],
    warnings: [/^The point in "Einwohner" may separate thousands/],
  },
  {
    what: 'three decimals beside columns in which the point is the decimal sign',
    content: 't;volts;amps\n1;20.125;0.5\n2;20.250;0.25\n',
    kinds: 'inn',
    imported: 2,
    row: [2, 20.25, 0.25],
  },
  {
    what: 'sensor log: a row of units',
    content: `time,temp,rh\n,°C,%\n${rows(12, (i) => `2024-03-${day(i)}T10:00:00+01:00,2${i % 9}.5,4${i % 9}.0`)}`,
    kinds: 'dnn',
    imported: 12,
    rejected: 1,
    warnings: [/^1 of 13 rows rejected/],
  },
  {
    what: 'one column of text with commas, without quotes',
    content: 'Address\nMain St 1, Berlin\nSide St 2, Bonn, DE\nNo street; no city\n"Quoted, Köln"\n',
    kinds: 't',
    imported: 4,
    row: ['Side St 2, Bonn, DE'],
  },
  {
    what: 'concatenated files: byte order marks and headers among the rows',
    content: '\ufeffname,city\nAda,Bonn\n\ufeffname,city\nBob,Köln\n\ufeff"Cy","Ulm"\n\ufeffDee,Hof\n',
    kinds: 'tt',
    imported: 4,
    rejected: 1,
    row: ['Dee', 'Hof'],
    warnings: [/^1 of 5 rows rejected: 1 × repeats the header/],
  },
  {
    what: 'DOS: Ctrl-Z at the end',
    content: 'word\r\nx\r\n\x1a',
    kinds: 't',
    imported: 1,
    warnings: [/^1 blank row skipped/],
  },
  {
    what: 'Hive: delimiter Ctrl-A given',
    content: 'a\x01b\n1\x012\n',
    data: { delimiter: '\x01' },
    kinds: 'ii',
    imported: 1,
    row: [1, 2],
  },
];

async function importCsv(content: string | Buffer, data: Record<string, unknown> = {}) {
  const run = await runOnFile(job, content, { data });
  const database = new Database(run.store.path(run.result.database.id), { readonly: true } as never);
  const table = database.prepare('SELECT * FROM data').raw().all() as unknown[][];
  database.close();
  return { ...run, table, report: run.content(run.result.report.id).toString() };
}

describe('csv-import reads common kinds of files', () => {
  it.each(shapes)(
    '$what',
    async ({ content, data, kinds, imported, rejected = 0, names, row, warnings = [] }) => {
      const { result, table } = await importCsv(content, data);
      expect(result).toMatchObject({ rows: imported + rejected, imported, rejected });
      expect(table).toHaveLength(imported);
      expect(result.columns.map(({ type }: { type: string }) => type[0]).join('')).toBe(kinds);
      if (names) expect(result.columns.map(({ name }: { name: string }) => name)).toEqual(names);
      if (row) expect(table).toContainEqual(row);
      expect(result.warnings).toHaveLength(warnings.length);
      for (const [i, warning] of warnings.entries()) expect(result.warnings[i]).toMatch(warning);
    },
  );

  const good = rows(1000, (i) => `${i},"good ${i}"`);
  it.each([
    ['an open quote', '0,"open\n', /^2,,unclosed quote|^2,,misplaced quote/m],
    ['text after a closing quote', '0,"a"b\n', /^2,,misplaced quote/m],
    ['a record over the limit', `0,"${'x'.repeat(2_000_000)}"\n`, /^2,,longer than/m],
    ['a record of many lines over the limit', `0,"${'x y\n'.repeat(500_000)}"\n`, /^2,,longer than/m],
    ['a line longer than the buffer', `0,${'x'.repeat(9_000_000)}\n`, /^2,,longer than/m],
  ])('rejects only one row for %s', async (_what, bad, reason) => {
    const { result, report } = await importCsv(`id,name\n${bad}${good}`);
    expect(result).toMatchObject({ rows: 1001, imported: 1000, rejected: 1 });
    expect(report).toMatch(reason);
    expect(result.warnings[0]).toMatch(/^1 of 1001 rows rejected/);
  });

  it('rejects only one row for an unclosed quote in a file without other quotes', async () => {
    const { result } = await importCsv(`id,name\n0,"open\n${rows(3000, (i) => `${i},good ${i}`)}`);
    expect(result).toMatchObject({ rows: 3001, imported: 3000, rejected: 1 });
  });

  it('counts each row once and reports the line where it begins', async () => {
    const { result, report } = await importCsv(
      `id,name\r\n1,"two\r\nlines"\r\n\r\n2,"a"b"c"d\r\n3,x,y\r\n4,ok\r\n${rows(20, (i) => `${i},ok`)}`,
    );
    expect(result).toMatchObject({ rows: 24, imported: 22, rejected: 2 });
    expect(
      report
        .split('\n')
        .slice(1, 3)
        .map((line) => line.split(',')[0]),
    ).toEqual(['5', '6']);
  });

  it('escapes formulas in the report', async () => {
    const bad = ['=1+1', '+cmd', '@x', '-2+3', '\t=1', '＝1', '=HYPERLINK(""http://x"",""y"")'];
    const { report } = await importCsv(
      `=id\n${rows(100, String)}${bad.map((value) => `"${value}"\n`).join('')}`,
    );
    const values = report.trim().split('\n').slice(1);
    expect(values).toHaveLength(bad.length);
    for (const line of values) expect(line).toMatch(/^\d+,'=id,not of type integer,"?'/);
    expect(values.at(-1)).toMatch(/,"'=HYPERLINK\(""http:\/\/x"",""y""\)"$/);
  });

  it('fails when every row is rejected, unless allowEmpty is set', async () => {
    const content = 'a,b,c\n1,2\n3,4\n';
    await expect(importCsv(content, { delimiter: ',' })).rejects.toThrow(
      /all 2 were rejected \(2 × 2 fields instead of 3\)/,
    );
    const { result } = await importCsv(content, { allowEmpty: true });
    expect(result).toMatchObject({ rows: 2, imported: 0, rejected: 2 });
  });

  it.each([
    ['windows-1250', 'Jméno;Město\nDvořák;Plzeň\n'],
    ['windows-1251', 'Имя;Город\nИван;Москва\n'],
    ['shift_jis', '名前,市\n田中,東京\n'],
    ['gb18030', '姓名,城市\n张伟,北京\n'],
    ['macintosh', 'name;city\nMüller;Köln\n'],
    ['cp850', 'name;city\nMüller;Köln\n'],
  ])('fails instead of guessing the encoding %s', async (encoding, text) => {
    const content = iconv.encode(text, encoding);
    await expect(importCsv(content)).rejects.toThrow(/encoding cannot be detected. Set `encoding`/);
    const { result } = await importCsv(content, { encoding });
    expect(result).toMatchObject({ rows: 1, imported: 1, warnings: [] });
  });
});

import { z } from 'zod';
import { PermanentError } from '../../shared/errors.js';
import { fileId, resultFile } from '../../shared/files/reference.js';
import { defineJob } from '../../shared/jobs/definition.js';
import { detectColumns } from './lib/csv/columns.js';
import { detectEncoding, encodings } from './lib/csv/encoding.js';
import { openCsv, readRecords } from './lib/csv/records.js';
import { RejectionReport } from './lib/csv/report.js';
import { createTable } from './lib/csv/table.js';
import { columnTypes } from './lib/csv/types.js';
import { warningsOf } from './lib/csv/warnings.js';

export default defineJob({
  name: 'csv-import',
  description: 'Imports a CSV file into a SQLite database and validates every row.',
  input: z.strictObject({
    file: fileId(),
    delimiter: z
      .string()
      .length(1)
      .regex(/[^"\r\n]/)
      .optional()
      .describe('Field delimiter. Detected by default.'),
    encoding: z.enum(encodings).optional().describe('Text encoding. Detected by default.'),
    header: z
      .enum(['first', 'none'])
      .optional()
      .describe('"none" if the file has no header line. Defaults to "first".'),
    allowEmpty: z.boolean().optional().describe('Complete the job even if every row is rejected'),
  }),
  result: z.object({
    rows: z.number().int(),
    imported: z.number().int(),
    rejected: z.number().int(),
    columns: z.array(z.object({ name: z.string(), type: z.enum(columnTypes) })),
    warnings: z.array(z.string()),
    database: resultFile,
    report: resultFile,
  }),
  stages: { detect: 1, import: 2 },
  async run({ file, delimiter, encoding: given, header, allowEmpty }, ctx) {
    const upload = await ctx.files.open(file);
    const encoding = await detectEncoding(upload.path, given, ctx.signal, delimiter);
    const source = await openCsv(upload.path, encoding, delimiter, ctx.signal);
    const hasHeader = header !== 'none';

    ctx.stage('detect');
    const {
      columns,
      named,
      rows,
      header: names,
      grouped,
    } = await detectColumns(
      readRecords(source, ctx.signal, (bytes) =>
        ctx.progress({ current: bytes, total: upload.size, unit: 'bytes', message: 'Detecting columns' }),
      ),
      hasHeader,
      source.delimiter,
    );
    ctx.log(
      `${rows} rows, ${columns.length} columns: ${columns.map(({ name, type }) => `${name} (${type})`).join(', ')}`.slice(
        0,
        2000,
      ),
    );

    ctx.stage('import');
    const counts = { imported: 0, rejected: 0 };
    let blank = 0;
    let reasons = '';
    const stem = upload.name.replace(/\.[^.]*$/, '');
    let database!: z.infer<typeof resultFile>;
    const report = await ctx.files.create(`${stem}-rejected.csv`, async (reportPath) => {
      const rejections = new RejectionReport(reportPath);
      database = await ctx.files.create(`${stem}.sqlite`, async (path) => {
        const table = await createTable(path, { columns, named, header: names }, rejections);
        try {
          let isHeader = hasHeader;
          const batches = readRecords(source, ctx.signal, undefined, (count) => {
            blank = count;
          });
          for await (const records of batches) {
            if (isHeader) records.shift();
            isHeader = false;
            const { imported, rejected } = await table.insert(records);
            counts.imported += imported;
            counts.rejected += rejected;
            ctx.progress({
              current: counts.imported + counts.rejected,
              total: rows,
              unit: 'rows',
              message: 'Importing',
            });
          }
        } finally {
          table.close();
        }
        reasons = rejections.summary();
        if (counts.rejected > 0 && counts.imported === 0 && !allowEmpty) {
          throw new PermanentError(
            `no rows were imported: all ${counts.rejected} were rejected (${reasons}). Set \`allowEmpty\` to complete the job and get the report`,
          );
        }
      });
      await rejections.close();
    });
    if (counts.rejected > 0)
      ctx.log('warn', `rows rejected: ${counts.rejected}; see the report for the reasons`);
    const warnings = warningsOf({
      encoding,
      source,
      hasHeader,
      rows,
      rejected: counts.rejected,
      reasons,
      blank,
      grouped,
    });
    return { rows, ...counts, columns, warnings, database, report };
  },
});

import { z } from 'zod';
import { fileId, resultFile } from '../../shared/files/reference.js';
import { defineJob } from '../../shared/job.js';
import { detectColumns } from '../csv/columns.js';
import { sniffDelimiter } from '../csv/dialect.js';
import { readRecords } from '../csv/records.js';
import { RejectionReport } from '../csv/report.js';
import { createTable } from '../csv/table.js';
import { columnTypes } from '../csv/types.js';

export default defineJob({
  name: 'csv-import',
  description: 'Loads a CSV file into a SQLite database, checking every row.',
  input: z.strictObject({
    file: fileId(),
    delimiter: z
      .string()
      .length(1)
      .regex(/[^"\r\n]/)
      .optional()
      .describe('Separates the fields; found out when left empty'),
  }),
  result: z.object({
    rows: z.number().int(),
    imported: z.number().int(),
    rejected: z.number().int(),
    columns: z.array(z.object({ name: z.string(), type: z.enum(columnTypes) })),
    database: resultFile,
    report: resultFile,
  }),
  stages: { detect: 1, import: 2 },
  async run({ file, delimiter: given }, ctx) {
    const source = await ctx.files.open(file);
    const delimiter = given ?? (await sniffDelimiter(source.path));

    ctx.stage('detect');
    const { columns, rows } = await detectColumns(source.path, delimiter, ctx.signal, (bytes) =>
      ctx.progress({ current: bytes, total: source.size, unit: 'bytes', message: 'Reading the columns' }),
    );
    ctx.log(
      `${rows} rows, ${columns.length} columns: ${columns.map(({ name, type }) => `${name} (${type})`).join(', ')}`.slice(
        0,
        2000,
      ),
    );

    ctx.stage('import');
    const counts = { imported: 0, rejected: 0 };
    const stem = source.name.replace(/\.[^.]*$/, '');
    let database: z.infer<typeof resultFile> | undefined;
    const report = await ctx.files.create(`${stem}-rejected.csv`, async (reportPath) => {
      const rejections = new RejectionReport(reportPath);
      database = await ctx.files.create(`${stem}.sqlite`, async (path) => {
        const table = await createTable(path, columns, rejections);
        try {
          let header = true;
          for await (const records of readRecords(source.path, delimiter, ctx.signal)) {
            if (header) records.shift();
            header = false;
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
      });
      await rejections.close();
    });
    if (counts.rejected > 0) ctx.log('warn', `rows rejected: ${counts.rejected}; the report says why`);
    return { rows, ...counts, columns, database: database!, report };
  },
});

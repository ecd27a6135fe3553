import { z } from 'zod';

/** The settings of the logs. */
export const logSettings = {
  LOG_LEVEL: z
    .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'])
    .default('info')
    .describe('Minimum log level.'),
  LOG_REQUESTS: z
    .enum(['info', 'debug', 'off'])
    .default('info')
    .describe(
      'Level of the line that the API logs for each answered request and each ended stream. With `off`, only responses with a status of 500 or more are logged. They are always logged at `error`.',
    ),
  AUDIT_LOG: z
    .string()
    .min(1)
    .default('stdout')
    .describe(
      'Destination of the audit log: `stdout`, `off`, or the path of a file, which is appended to and opened again on SIGHUP. Does not depend on `LOG_LEVEL`.',
    ),
};

import { z } from 'zod';

/** The settings of the metrics. */
export const metricsSettings = {
  METRICS_PORT: z
    .string()
    .refine(
      (text) => /^(off|\d{1,5})?$/.test(text) && !(Number(text) > 65_535),
      'must be a port from 0 to 65535, or off',
    )
    .transform((text): number | 'off' | '' => (text === 'off' || text === '' ? text : Number(text)))
    .default('')
    .describe(
      'Port on which an API process or worker serves its metrics at `/metrics` (Prometheus and OpenMetrics). If empty, the first free port from 9464 to 9483, so that several processes of one machine need no setting. `0` picks any free port, `off` opens none. If the port is taken, the process logs a warning and runs without it. An API process also serves its metrics to admins at `/metrics` of `PORT`.',
    ),
  METRICS_HOST: z
    .string()
    .min(1)
    .default('127.0.0.1')
    .describe(
      'Address on which metrics are served. Anyone who reaches it can read them; they contain names of job types and numbers, no data of jobs.',
    ),
};

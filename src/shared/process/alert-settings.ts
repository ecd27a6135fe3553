import { z } from 'zod';
import { isWebhookSecret, SECRET_FORM } from '../jobs/webhook-option.js';
import { secretList } from './secret-list.js';

const minute = 60_000;
const int = (min: number, max: number) => z.coerce.number().int().min(min).max(max);

/** The settings of alerts. */
export const alertSettings = {
  ALERT_WEBHOOK_URL: z
    .union([z.literal(''), z.url({ protocol: /^https?$/ })])
    .default('')
    .describe(
      'URL that alerts are posted to, as JSON that Slack and compatible services accept. All API processes and workers need the same one. `WEBHOOK_HOSTS` does not apply to it. If empty, there are no alerts.',
    ),
  ALERT_WEBHOOK_SECRET: secretList((secret) => (isWebhookSecret(secret) ? undefined : SECRET_FORM)).describe(
    'Secret for signing alerts: `whsec_` and 24 to 64 bytes in base64, or several of them, comma-separated. Defaults to `WEBHOOK_SECRET`; without either, alerts are not signed.',
  ),
  ALERT_REPEAT_MS: int(minute, 30 * 24 * 60 * minute)
    .default(60 * minute)
    .describe('Minimum time between two messages that the same alert is firing, in ms.'),
  ALERT_FAILED_PERCENT: int(0, 100)
    .default(20)
    .describe(
      'Alert when more than this share of the jobs of a kind that ended within `ALERT_FAILED_WINDOW_MS` failed, in percent. `0` turns the alert off.',
    ),
  ALERT_FAILED_MIN_JOBS: int(1, 1_000_000)
    .default(10)
    .describe('Minimum number of jobs of a kind that must have ended in the window before it can alert.'),
  ALERT_FAILED_WINDOW_MS: int(minute, 60 * minute)
    .default(10 * minute)
    .describe('The window for the share of failed jobs, in ms. It is rounded up to whole minutes.'),
  ALERT_WAIT_MS: int(0, 30 * 24 * 60 * minute)
    .default(5 * minute)
    .describe(
      'Alert when the oldest job of a queue has waited longer than this since it was due, in ms. `0` turns the alert off.',
    ),
  ALERT_NO_WORKER_MS: int(0, 24 * 60 * minute)
    .default(minute)
    .describe(
      'Alert when jobs wait in a queue without a worker, or no worker runs at all, for longer than this, in ms. `0` turns the alert off.',
    ),
  ALERT_MEMORY_PERCENT: int(0, 100)
    .default(80)
    .describe(
      'Alert when Redis uses more than this share of its `maxmemory`, or of the memory of its machine if it has no limit, in percent. `0` turns the alert off.',
    ),
  ALERT_CHECK_MS: int(200, 10 * minute)
    .default(15_000)
    .describe('How often the conditions of alerts are checked, in ms.'),
};

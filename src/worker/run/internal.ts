import type { JobContext } from '../../shared/jobs/definition.js';
import type { Deliver } from '../webhooks/deliver.js';

/** What jobs of Headway's own (`internal: true`) get beside what all get. */
export interface InternalServices {
  deliverWebhook: Deliver;
}

/** The context of a run of such a job. */
export type InternalContext = JobContext & { services: InternalServices };

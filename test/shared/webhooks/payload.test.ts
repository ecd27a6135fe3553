import { describe, expect, it } from 'vitest';
import { MAX_BODY_BYTES, webhookBody } from '../../../src/shared/webhooks/payload.js';

const job = {
  id: 'a.1',
  name: 'a',
  state: 'completed',
  progress: { percent: 100 },
  links: { self: '/v1/jobs/a.1' },
};

describe('the body of a webhook', () => {
  it('contains the event, its time and the whole job', () => {
    expect(JSON.parse(webhookBody('completed', 1795497925640, { ...job, result: { rows: 3 } }))).toEqual({
      type: 'job.completed',
      timestamp: '2026-11-24T05:25:25.640Z',
      data: { ...job, result: { rows: 3 } },
    });
  });

  it('omits a large result and adds a note', () => {
    const body = webhookBody('completed', 0, { ...job, result: 'ü'.repeat(MAX_BODY_BYTES / 2) });
    expect(Buffer.byteLength(body)).toBeLessThan(2000);
    expect(JSON.parse(body).data).toEqual({
      ...job,
      progress: null,
      note: expect.stringMatching(/links\.self/),
    });
  });

  it('shortens a large error message and keeps its code', () => {
    const error = { message: 'x'.repeat(MAX_BODY_BYTES), code: 'permanent' };
    const body = webhookBody('failed', 0, { ...job, state: 'failed', error });
    expect(JSON.parse(body).data.error).toEqual({ message: 'x'.repeat(10_000), code: 'permanent' });
  });
});

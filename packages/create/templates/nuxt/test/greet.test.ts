import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runJob } from 'headway-jobs/testing';
import { greet } from '../server/jobs.ts';

test('greets everybody', async () => {
  const { result, progress, events } = await runJob(greet, { names: ['Ada', 'Grace'] });

  assert.deepEqual(result, { greeted: 2 });
  assert.deepEqual(
    progress.map(({ percent }) => percent),
    [50, 100],
  );
  assert.deepEqual(
    events.map(({ data }) => data.text),
    ['Hello, Ada!', 'Hello, Grace!'],
  );
});

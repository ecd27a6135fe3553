'use client';

import type { JobOf } from 'headway-client';
import { JobProgress, useHeadway, useJob } from 'headway-client/react';
import { useState } from 'react';
import type * as jobs from '../jobs.ts';

export default function Greetings() {
  const client = useHeadway<typeof jobs>();
  const [job, setJob] = useState<JobOf<'greet', typeof jobs>>();
  const [greeting, setGreeting] = useState('');

  useJob(job, {
    onEvent: ({ event, data }) => event === 'greeting' && setGreeting(data.data.text),
  });

  async function start() {
    setJob(await client.startJob('greet', { names: ['Ada', 'Grace', 'Alan', 'Edsger'] }));
  }

  return (
    <>
      <button type="button" onClick={start}>
        Start
      </button>
      <JobProgress job={job} label="Greetings" />
      <p>{greeting}</p>
    </>
  );
}

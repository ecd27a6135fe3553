import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { callUntilAnswered, newKey } from './http.js';
import { isEnd } from './segments.js';
import type { Stage } from './stage.js';

const SIZES = [1, 1000, 200_000, 3_000_000];

/** Uploads a file and lets a job compute its checksum: the job must have read exactly what was sent. */
export async function runFileCase(stage: Stage): Promise<void> {
  const { overdue, url } = stage;
  const content = randomBytes(stage.random.pick(SIZES));
  const sha256 = createHash('sha256').update(content).digest('hex');
  const report = (kind: string, text: string): void =>
    stage.report([{ kind, subject: 'checksum', text, at: Date.now() }], { bytes: content.length });
  // An upload that was cut off is sent again; what arrived of it must not be kept.
  const uploaded = await callUntilAnswered(
    `${url}/v1/files?name=random.bin`,
    { method: 'POST', content },
    overdue,
  );
  if (uploaded.status !== 201) {
    return report(
      'not-stored',
      `an upload was answered ${uploaded.status}: ${JSON.stringify(uploaded.body)}`,
    );
  }
  if (uploaded.body.sha256 !== sha256 || uploaded.body.size !== content.length) {
    report('wrong-upload', `${content.length} bytes were stored as ${JSON.stringify(uploaded.body)}`);
  }
  const body = { name: 'checksum', data: { file: uploaded.body.id }, options: { attempts: 3 } };
  const started = await callUntilAnswered(`${url}/v1/jobs`, { method: 'POST', body, key: newKey() }, overdue);
  if (started.status !== 202) {
    return report('not-accepted', `${started.status} ${JSON.stringify(started.body)}`);
  }
  stage.count('jobs');
  const { id, token } = started.body as { id: string; token: string };
  const job = `${url}/v1/jobs/${encodeURIComponent(id)}`;
  for (;;) {
    const { status, body } = await callUntilAnswered(job, { token }, overdue);
    if (status !== 200) return report('lost-job', `${id} was answered ${status}`);
    if (isEnd(body.state)) {
      if (body.state !== 'completed') return report('wrongly-failed', JSON.stringify(body));
      if (body.result.digest !== sha256) report('wrong-result', JSON.stringify(body.result));
      return;
    }
    await sleep(200, undefined, { signal: overdue });
  }
}

import { setTimeout as sleep } from 'node:timers/promises';
import { checkJob } from './checker.js';
import { checkHook } from './hooks.js';
import { callUntilAnswered, newKey } from './http.js';
import type { JobPlan } from './plans.js';
import type { JobRecord } from './records.js';
import { isEnd } from './segments.js';
import { FINAL, recordsOf, type Stage } from './stage.js';
import { startViewer, type Viewer, type ViewerOptions } from './viewers.js';

/** Starts a job that several viewers watch, and checks at the end what they got. */
export async function runJobCase(stage: Stage, plan: JobPlan): Promise<void> {
  const { overdue, random } = stage;
  const own = random.fork();
  const { kind, data, options, hasHook } = plan;
  const label = String(data.label);
  const { hooks } = stage;
  // A Redis that loses data may forget a webhook, or deliver it again.
  const webhook = hasHook && !stage.loses ? { url: hooks.url(label), secret: hooks.secret } : undefined;
  const answer = await callUntilAnswered(
    `${stage.url}/v1/jobs`,
    {
      method: 'POST',
      body: { name: kind, data, options: { ...options, ...(webhook ? { webhook } : {}) } },
      key: newKey(),
    },
    overdue,
  );
  const acceptedAt = Date.now();
  if (answer.status !== 202) {
    const text = `${answer.status} ${JSON.stringify(answer.body)}`;
    stage.report([{ kind: 'not-accepted', subject: kind, text, at: acceptedAt }], plan);
    return;
  }
  const { id, token } = answer.body as { id: string; token: string };
  stage.count('jobs');
  const view = (name: string, more: Partial<ViewerOptions> = {}): Viewer => {
    stage.count('viewers');
    const url = `${stage.url}/v1/jobs/${encodeURIComponent(id)}/events`;
    return startViewer({ name, url, token, random: own.fork(), signal: overdue, ...more });
  };
  const viewers = [
    view('early'),
    view('eager', { eager: true }),
    view('returning', { returns: true, eager: true }),
  ];
  if (kind === 'bulky' || kind === 'dense') viewers.push(view('slow', { slow: true }));
  let cancelledAt: number | undefined;
  await Promise.all([
    sleep(own.between(200, 3000)).then(() => {
      viewers.push(view('late', { eager: true }));
    }),
    (async () => {
      if (plan.cancelAfterMs === undefined) return;
      await sleep(plan.cancelAfterMs);
      cancelledAt = Date.now();
      const url = `${stage.url}/v1/jobs/${encodeURIComponent(id)}/cancel`;
      await callUntilAnswered(url, { method: 'POST', token }, overdue).catch(() => {});
    })(),
  ]);
  await Promise.all(viewers.map(({ done }) => done));
  // A part of the job that Redis lost may run again.
  if (stage.loses) await stage.calm;
  const common = { acceptedAt, attempts: options.attempts, kind };
  const known = { ...common, id, ...(cancelledAt ? { cancelledAt } : {}) };
  const state = await checkEnd(stage, known, token, viewers, view);
  if (webhook && isEnd(state)) await checkWebhook(stage, id, state, label);
  if (kind === 'family') await checkChildren(stage, id, token);
}

/** Finds the children of a job by their records. Their only viewer is the one that reads them after the end. */
async function checkChildren(stage: Stage, parent: string, token: string): Promise<void> {
  for (const id of stage.truth.jobs()) {
    if (!id.startsWith('member.')) continue;
    const start = stage.truth.of(id).find(({ what }) => what === 'start');
    if (start?.parent !== parent) continue;
    const known = { id, kind: 'member', attempts: 1, acceptedAt: start.at, isChild: true };
    const url = `${stage.url}/v1/jobs/${encodeURIComponent(id)}/events`;
    await checkEnd(stage, known, token, [], (name) =>
      startViewer({ name, url, token, random: stage.random.fork(), signal: stage.overdue }),
    );
  }
}

/**
 * Waits for the job's end, lets one more viewer read its whole stream, and checks all viewers.
 * @returns the state of the job
 */
async function checkEnd(
  stage: Stage,
  known: Omit<JobRecord, 'said' | 'viewers' | 'state'>,
  token: string,
  viewers: Viewer[],
  view: (name: string) => Viewer,
): Promise<string> {
  const state = await endState(stage, known.id, token);
  if (isEnd(state)) {
    const final = view(FINAL);
    viewers.push(final);
    await final.done;
  }
  const record: JobRecord = {
    ...known,
    said: stage.truth.of(known.id),
    viewers: recordsOf(viewers),
    state,
  };
  for (const { seen } of record.viewers) stage.count('events', seen.length);
  stage.report(checkJob(record, stage.checkOptions()), record);
  stage.truth.forget(known.id);
  return state;
}

/** Waits until the receiver has accepted the webhook of an ended job, and checks its calls. */
async function checkWebhook(stage: Stage, id: string, state: string, label: string): Promise<void> {
  const { hooks, overdue } = stage;
  while (!hooks.of(label).some(({ accepted }) => accepted) && !overdue.aborted) await sleep(100);
  const calls = hooks.of(label);
  const at = Date.now();
  stage.report(
    checkHook(id, state, calls, hooks.secret).map((finding) => ({ ...finding, at })),
    { id, calls },
  );
  hooks.forget(label);
}

/** Returns the final state of a job, its state when time is up, or `gone`. */
async function endState(stage: Stage, id: string, token: string): Promise<string> {
  let state = 'unknown';
  const url = `${stage.url}/v1/jobs/${encodeURIComponent(id)}`;
  try {
    for (;;) {
      const { status, body } = await callUntilAnswered(url, { token }, stage.overdue);
      if (status === 404 || status === 410) return 'gone';
      state = String(body?.state);
      if (isEnd(state)) return state;
      await sleep(200, undefined, { signal: stage.overdue });
    }
  } catch {
    return state;
  }
}

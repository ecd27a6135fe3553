import { setTimeout as sleep } from 'node:timers/promises';
import { checkChannel } from './check-channel.js';
import { callUntilAnswered, newKey } from './http.js';
import type { ChannelRecord, Publication } from './records.js';
import { FINAL, recordsOf, type Stage } from './stage.js';
import { startViewer, type Viewer, type ViewerOptions } from './viewers.js';

/**
 * Publishes to a channel over HTTP for a while while several viewers watch it. Each call has an `Idempotency-Key`, so it
 * can be repeated.
 */
export async function runChannelCase(stage: Stage, name: string, lastsMs: number): Promise<void> {
  const random = stage.random.fork();
  const over = new AbortController();
  const stop = (): void => over.abort();
  stage.overdue.addEventListener('abort', stop);
  const view = (viewer: string, more: Partial<ViewerOptions> = {}): Viewer => {
    stage.count('viewers');
    const url = `${stage.url}/stream?channel=${name}&last=10000`;
    return startViewer({ name: viewer, url, random: random.fork(), signal: over.signal, ...more });
  };
  const viewers = [
    view('early'),
    view('eager', { eager: true }),
    view('returning', { returns: true, eager: true }),
    view('slow', { slow: true }),
  ];
  const published: Publication[] = [];
  const until = Date.now() + lastsMs;
  let n = 0;
  let isCalm = false;
  void stage.calm.then(() => {
    isCalm = true;
  });
  try {
    // If Redis may lose data, publishing continues, so that every viewer reconnects after further events.
    while (n < 5 || (!isCalm && (stage.loses || Date.now() < until))) {
      // The last viewers ask for the newest 10,000 events: all of them.
      const many = n < 5000 && random.chance(0.15);
      await publish(many ? random.between(20, 300) : 1, random.chance(0.15));
      if (n > 20 && viewers.length === 4) viewers.push(view('late', { eager: true }));
      await sleep(random.between(...stage.publishEveryMs), undefined, { signal: stage.overdue });
    }
    // A last state and a last event mark the end.
    await publish(1, true);
    await publish(1, false);
  } catch {
    // The time is up. Everything published so far must still arrive.
  }
  await allArrived(viewers, n, stage.overdue);
  viewers.push(view(FINAL));
  await allArrived(viewers.slice(-1), n, stage.overdue);
  over.abort();
  stage.overdue.removeEventListener('abort', stop);
  const record: ChannelRecord = { name, published, viewers: recordsOf(viewers) };
  for (const { seen } of record.viewers) stage.count('events', seen.length);
  stage.report(checkChannel(record, stage.checkOptions()), record);

  async function publish(count: number, state: boolean): Promise<void> {
    const pad = 'x'.repeat(random.pick([0, 0, 0, 500]));
    const size = state ? 1 : count;
    const events = Array.from({ length: size }, () => {
      published.push({ n: ++n, at: Date.now(), state });
      return state
        ? { event: 'score', kind: 'state', data: { n } }
        : { event: 'said', data: { run: 'channel', n, length: pad.length, pad } };
    });
    const body = size === 1 ? events[0] : { events };
    const url = `${stage.url}/v1/channels/${name}`;
    const { status, body: answer } = await callUntilAnswered(
      url,
      { method: 'POST', body, key: newKey() },
      stage.overdue,
    );
    if (status === 200) {
      for (const publication of published.slice(-size)) publication.until = Date.now();
      return;
    }
    const text = `a publication was answered ${status}: ${JSON.stringify(answer)}`;
    stage.report([{ kind: 'not-published', subject: name, text, at: Date.now() }], { name });
    published.splice(-size);
  }
}

/** Waits until the viewers have the last event, or until time is up. */
async function allArrived(viewers: readonly Viewer[], n: number, overdue: AbortSignal): Promise<void> {
  // A lost event never comes, so the wait is bounded.
  const patience = Date.now() + 15_000;
  const has = ({ record }: Viewer): boolean =>
    record.seen.at(-1)?.items?.some((item) => item.n === n) === true;
  while (!viewers.every(has) && !overdue.aborted && Date.now() < patience) await sleep(50);
}

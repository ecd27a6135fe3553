// Publishes a recorded innings to a channel, ball by ball.
//   node examples/cricket/publisher.mjs
// INTERVAL_MS: time between balls, defaults to 2000. CHANNEL: defaults to public.cricket.
// HEADWAY_URL: defaults to http://127.0.0.1:3000. HEADWAY_TOKEN: a token that may publish, if the channel needs one.
import { readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { createScore } from './score.mjs';

const { HEADWAY_URL, HEADWAY_TOKEN, CHANNEL, INTERVAL_MS } = process.env;
const url = `${HEADWAY_URL || 'http://127.0.0.1:3000'}/v1/channels/${CHANNEL || 'public.cricket'}`;
const intervalMs = Number(INTERVAL_MS || 2000);
const innings = JSON.parse(readFileSync(new URL('innings.json', import.meta.url), 'utf8'));

const score = createScore(innings);
for (const ball of innings.balls) {
  const events = score.count(ball);
  await publish(events);
  const [{ data: now }] = events;
  console.log(`${ball.over.padStart(4)}  ${now.runs}/${now.wickets}  ${ball.text}`);
  await wait(intervalMs);
}

/**
 * Publishes the events of one ball with one call, and retries while Headway is down. If only the response was lost, the
 * ball is published twice; readers recognise it by its number.
 */
async function publish(events) {
  for (;;) {
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        'Content-Type': 'application/json',
        ...(HEADWAY_TOKEN ? { Authorization: `Bearer ${HEADWAY_TOKEN}` } : {}),
      },
      body: JSON.stringify({ events }),
    }).catch(() => undefined);
    if (response?.ok) return;
    if (response && response.status < 500) throw new Error(`${response.status}: ${await response.text()}`);
    console.log('Headway does not answer. Retrying.');
    await wait(1000);
  }
}

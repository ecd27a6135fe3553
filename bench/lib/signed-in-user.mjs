// A process that plays a signed-in user: it starts jobs and publishes events to a channel that it watches, at random
// times. It answers {url, token} when its stream is open, and {report: true} with the times of the calls and of the events
// since the last report, in ms.
import { request } from 'node:http';
import { percentile } from './table.mjs';

const EVERY_MS = 50;
const CHANNEL = 'user.news';
let posts = [];
let events = [];
let failures = [];

function call(url, token, body) {
  return new Promise((resolve, reject) => {
    const text = JSON.stringify(body);
    const req = request(url, {
      method: 'POST',
      headers: {
        Authorization: `Bearer ${token}`,
        'Content-Type': 'application/json',
        'Content-Length': Buffer.byteLength(text),
      },
    });
    req.on('error', reject);
    req.on('response', (res) => {
      res.resume();
      res.on('end', () => (res.statusCode < 300 ? resolve() : reject(new Error(`status ${res.statusCode}`))));
    });
    req.end(text);
  });
}

async function watch(url, token) {
  const response = await fetch(`${url}/stream?channel=${CHANNEL}`, {
    headers: { Authorization: `Bearer ${token}`, Accept: 'text/event-stream' },
  });
  if (response.status !== 200) throw new Error(`the stream was answered ${response.status}`);
  let rest = '';
  void (async () => {
    for await (const bytes of response.body) {
      const now = performance.now();
      const lines = (rest + Buffer.from(bytes).toString()).split('\n');
      rest = lines.pop();
      for (const line of lines) {
        const sentAt = /^data: \{"sentAt":([\d.]+)\}$/.exec(line)?.[1];
        if (sentAt) events.push(now - Number(sentAt));
      }
    }
    failures.push('the stream ended');
  })();
}

function begin(url, token) {
  const measured = async (path, body, times) => {
    const at = performance.now();
    try {
      await call(`${url}${path}`, token, body(at));
      times?.push(performance.now() - at);
    } catch (error) {
      failures.push(String(error));
    }
  };
  const act = () => {
    void measured('/v1/jobs', () => ({ name: 'tiny', data: {} }), posts);
    void measured(`/v1/channels/${CHANNEL}`, (sentAt) => ({ data: { sentAt } }));
    setTimeout(act, 2 * EVERY_MS * Math.random());
  };
  act();
}

process.on('message', async (message) => {
  if (message.url) {
    await watch(message.url, message.token);
    begin(message.url, message.token);
    process.send({ type: 'watching' });
  }
  if (message.report) {
    const p99 = (times) => percentile(times, 0.99);
    const p50 = (times) => percentile(times, 0.5);
    process.send({
      type: 'report',
      posts: posts.length,
      events: events.length,
      postP50: p50(posts),
      postP99: p99(posts),
      eventP50: p50(events),
      eventP99: p99(events),
      failures,
    });
    posts = [];
    events = [];
    failures = [];
  }
});
process.send({ type: 'ready' });

// A process that plays an anonymous attacker, without cookies. It does things at random times, so that none is in step with
// the user's calls. It answers {url, ms, counts} at the end with the number of responses by action and status.
import { request } from 'node:http';
import { connect } from 'node:net';

const tally = new Map();
const sockets = new Set();

function count(action, status) {
  const key = `${action} ${status}`;
  tally.set(key, (tally.get(key) ?? 0) + 1);
}

function call(url, { method = 'GET', headers = {}, body } = {}) {
  return new Promise((resolve) => {
    const req = request(url, { method, headers, agent: false, timeout: 10_000 });
    req.on('timeout', () => req.destroy());
    req.on('error', ({ code }) => resolve(code ?? 'closed'));
    req.on('response', (res) => {
      res.resume();
      res.on('error', () => {});
      resolve(res.statusCode);
    });
    req.end(body);
  });
}

const json = (body) => {
  const text = JSON.stringify(body);
  return {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) },
    body: text,
  };
};

/** Opens a stream, and keeps it open if it is accepted. */
function stream(url, path) {
  return new Promise((resolve) => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    sockets.add(socket);
    socket.on('error', ({ code }) => resolve(code));
    socket.on('close', () => {
      sockets.delete(socket);
      resolve('closed');
    });
    socket.once('data', (data) => resolve(Number(data.toString('latin1', 9, 12))));
    socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n`);
  });
}

const tags = Array.from({ length: 20 }, (_, i) => `tag=t${i}`).join('&');
const upload = Buffer.alloc(1024 * 1024);

const ACTIONS = {
  jobs: (url, i) =>
    call(`${url}/v1/jobs`, json({ name: 'tiny', data: {}, options: i % 2 ? { delayMs: 3_600_000 } : {} })),
  schedules: (url) => call(`${url}/v1/schedules`, json({ name: 'tiny', everyMs: 1000 })),
  streams: (url, i) => stream(url, `/stream?channel=public.${i % 50}`),
  uploads: (url) =>
    call(`${url}/v1/files?name=a.bin`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/octet-stream', 'Content-Length': upload.length },
      body: upload,
    }),
  passwords: (url, i) =>
    call(`${url}/v1/keys`, { headers: { Authorization: `Bearer wrong-admin-token-${i}` } }),
  lists: (url) => call(`${url}/v1/jobs?${tags}`),
};

process.on('message', async ({ url, ms, counts }) => {
  if (!url) return;
  const begun = performance.now();
  await Promise.all(
    Object.entries(counts).map(async ([action, times]) => {
      const open = [];
      const moments = Array.from({ length: times }, () => begun + ms * Math.random()).sort((a, b) => a - b);
      for (const [i, due] of moments.entries()) {
        const wait = due - performance.now();
        if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
        open.push(ACTIONS[action](url, i).then((status) => count(action, status)));
      }
      await Promise.all(open);
    }),
  );
  for (const socket of sockets) socket.resetAndDestroy();
  process.send({ type: 'done', tally: Object.fromEntries(tally) });
});
process.send({ type: 'ready' });

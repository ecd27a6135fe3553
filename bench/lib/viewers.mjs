// A process that holds many event streams and counts frames with marks. It answers the message {open: [url, ...]} when
// every stream has received the text `opened` (with `from`, it connects from that address), {expect: n} when n marks have
// arrived in all, {count: true} with the marks so far and their ages since the last such answer, and {close: true} when all
// streams are closed.
import { connect } from 'node:net';
import { connect as connectSecurely } from 'node:tls';
import { eachMark } from './stamp.mjs';
import { percentile } from './table.mjs';

const AT_ONCE = 100;
let frames = 0;
let ages = [];
let expected = Number.POSITIVE_INFINITY;
const sockets = new Set();

function countMark(age) {
  frames++;
  if (age !== undefined) ages.push(age);
}

function open(url, opened, localAddress) {
  const { protocol, port, pathname, search } = new URL(url);
  const to = { port: Number(port), host: '127.0.0.1', localAddress };
  return new Promise((resolve, reject) => {
    const socket =
      protocol === 'https:' ? connectSecurely({ ...to, rejectUnauthorized: false }) : connect(to);
    sockets.add(socket);
    socket.on('error', reject);
    socket.on('close', () => sockets.delete(socket));
    socket.write(
      `GET ${pathname}${search} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\nConnection: keep-alive\r\n\r\n`,
    );
    let isOpen = false;
    socket.on('data', (data) => {
      if (!isOpen && data.includes(opened)) {
        isOpen = true;
        resolve();
      }
      eachMark(data, countMark);
      if (frames >= expected) {
        expected = Number.POSITIVE_INFINITY;
        process.send({ type: 'arrived', frames });
      }
    });
  });
}

/** Opens all, at most `AT_ONCE` at the same time. */
async function openAll(urls, opened, from) {
  const begun = performance.now();
  let next = 0;
  await Promise.all(
    Array.from({ length: Math.min(AT_ONCE, urls.length) }, async () => {
      while (next < urls.length) await open(urls[next++], opened, from);
    }),
  );
  return performance.now() - begun;
}

process.on('message', async (message) => {
  if (message.open) {
    const ms = await openAll(message.open, message.opened ?? '\n\n', message.from);
    process.send({ type: 'opened', open: sockets.size, ms });
  }
  if (message.expect) {
    expected = message.expect;
    if (frames >= expected) process.send({ type: 'arrived', frames });
  }
  if (message.count) {
    const [p50, p99] = ages.length > 0 ? [0.5, 0.99].map((share) => percentile(ages, share)) : [];
    process.send({ type: 'count', frames, p50, p99 });
    ages = [];
  }
  if (message.close) {
    await Promise.all(
      [...sockets].map((socket) => {
        // With a reset, because closed connections would occupy the machine's ports for a minute.
        socket.resetAndDestroy();
        return new Promise((resolve) => socket.once('close', resolve));
      }),
    );
    process.send({ type: 'closed' });
  }
});
process.send({ type: 'ready' });

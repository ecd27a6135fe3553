// A process of viewers that come back. It answers {url, count} when as many streams are open, and again when each has
// had an event;
// {back: true} when every viewer has returned with its Last-Event-ID and has received the event "last".
import { connect } from 'node:net';
import { now } from './stamp.mjs';

/** Fewer than the connections that a listening socket keeps in its queue. */
const AT_ONCE = 400;
const RETRY_MS = 100;
const viewers = [];
/** How many viewers have reached a state, and what is called when all have. */
const reached = {};
let target;

/** Connects a viewer. Resolves to whether the stream has begun. */
function open(viewer) {
  return new Promise((resolve) => {
    const socket = connect(Number(target.port), '127.0.0.1');
    let received = '';
    socket.setEncoding('latin1');
    socket.on('error', () => {});
    socket.on('close', () => resolve(false));
    socket.on('data', (data) => {
      resolve(true);
      received += data;
      const end = received.lastIndexOf('\n\n');
      if (end < 0) return;
      read(viewer, received.slice(0, end));
      received = received.slice(end + 2);
    });
    const returning = viewer.lastId === undefined ? '' : `Last-Event-ID: ${viewer.lastId}\r\n`;
    socket.write(
      `GET ${target.pathname}${target.search} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n${returning}\r\n`,
    );
  });
}

function read(viewer, frames) {
  for (const [, id] of frames.matchAll(/^id: ?(.*)$/gm)) viewer.lastId = id;
  for (let mark = frames.indexOf('"mark'); mark >= 0; mark = frames.indexOf('"mark', mark + 5))
    viewer.marks++;
  if (viewer.marks > 0) settle(viewer, 'known');
  if (frames.includes('"last"')) settle(viewer, 'caughtUp');
}

/** Notes that a viewer has reached a state, and resolves the promise of the last one. */
function settle(viewer, state) {
  if (viewer[state]) return;
  viewer[state] = true;
  if (++reached[state].count === viewers.length) reached[state].all();
}

function whenAll(state) {
  return new Promise((resolve) => {
    reached[state] = { count: 0, all: resolve };
  });
}

async function openAll() {
  let next = 0;
  const openNext = async () => {
    while (next < viewers.length) {
      const viewer = viewers[next++];
      while (!(await open(viewer))) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, openNext));
}

process.on('message', async ({ url, count, back }) => {
  if (url) {
    target = new URL(url);
    for (let i = 0; i < count; i++) viewers.push({ lastId: undefined, marks: 0 });
    const known = whenAll('known');
    await openAll();
    process.send({ type: 'opened' });
    await known;
    process.send({ type: 'known' });
  }
  if (back) {
    const caughtUp = whenAll('caughtUp');
    await openAll();
    await caughtUp;
    const at = now();
    process.send({ type: 'caughtUp', at, marks: viewers.map(({ marks }) => marks) });
  }
});
process.send({ type: 'ready' });

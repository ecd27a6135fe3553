// A process that holds event streams over HTTP/2, several on each connection, as a browser does for its tabs. It answers the
// messages of viewers.mjs except `close`.
import { connect } from 'node:http2';
import { eachMark } from './stamp.mjs';

/** The tabs of one browser. */
export const STREAMS_PER_CONNECTION = 7;
const AT_ONCE = 20;
let open = 0;
let frames = 0;
let expected = Number.POSITIVE_INFINITY;

function openStream(session, url, opened) {
  const { pathname, search } = new URL(url);
  return new Promise((resolve, reject) => {
    const stream = session.request({ ':path': pathname + search, accept: 'text/event-stream' });
    stream.on('error', reject);
    let isOpen = false;
    stream.on('data', (data) => {
      if (!isOpen && data.includes(opened)) {
        isOpen = true;
        open++;
        resolve();
      }
      eachMark(data, () => frames++);
      if (frames >= expected) {
        expected = Number.POSITIVE_INFINITY;
        process.send({ type: 'arrived', frames });
      }
    });
  });
}

async function openConnection(urls, opened) {
  const session = connect(new URL(urls[0]).origin, { rejectUnauthorized: false });
  await Promise.all(urls.map((url) => openStream(session, url, opened)));
}

process.on('message', async (message) => {
  if (message.open) {
    const begun = performance.now();
    const rest = [...message.open];
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        while (rest.length > 0)
          await openConnection(rest.splice(0, STREAMS_PER_CONNECTION), message.opened ?? '\n\n');
      }),
    );
    process.send({ type: 'opened', open, ms: performance.now() - begun });
  }
  if (message.expect) {
    expected = message.expect;
    if (frames >= expected) process.send({ type: 'arrived', frames });
  }
  if (message.count) process.send({ type: 'count', frames });
});
process.send({ type: 'ready' });

// A process that holds many event streams and counts frames. It answers the message {open: [url, ...]} when every
// stream has received its first bytes, and {expect: n} when n marked frames have arrived in total.
import { connect } from 'node:net';

const MARK = Buffer.from('"mark');
let frames = 0;
let expected = Number.POSITIVE_INFINITY;
const sockets = new Set();

function open(url) {
  const { port, pathname, search } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), '127.0.0.1');
    sockets.add(socket);
    socket.on('error', reject);
    socket.on('close', () => sockets.delete(socket));
    socket.write(
      `GET ${pathname}${search} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\nConnection: keep-alive\r\n\r\n`,
    );
    socket.on('data', (data) => {
      resolve();
      for (let at = data.indexOf(MARK); at >= 0; at = data.indexOf(MARK, at + MARK.length)) frames++;
      if (frames >= expected) {
        expected = Number.POSITIVE_INFINITY;
        process.send({ type: 'arrived', frames });
      }
    });
  });
}

process.on('message', async (message) => {
  if (message.open) {
    for (let from = 0; from < message.open.length; from += 100) {
      await Promise.all(message.open.slice(from, from + 100).map(open));
    }
    process.send({ type: 'opened', open: sockets.size });
  }
  if (message.expect) {
    expected = message.expect;
    if (frames >= expected) process.send({ type: 'arrived', frames });
  }
  if (message.count) process.send({ type: 'count', frames });
});
process.send({ type: 'ready' });

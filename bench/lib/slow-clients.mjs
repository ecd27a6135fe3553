// A process that attacks a server on this machine with connections: {attack: url, each: n} opens n connections that send
// their headers slowly, n that send a body slowly, n streams whose client never reads, and connects and disconnects all
// the time. It answers when the first connections are open, and {stop: true} when all are closed.
import { connect } from 'node:net';
import { setPriority } from 'node:os';

/** How often a slow client sends a byte, in ms. */
const BYTE_MS = 1000;
/** Connects at once, for the flood. */
const FLOOD = 50;

// An attacker has a machine of its own: here it gets only what the others leave.
setPriority(19);

const sockets = new Set();
let stopped = false;
let connects = 0;

function open(url, head, { slow }) {
  const { port } = new URL(url);
  const socket = connect(Number(port), '127.0.0.1');
  sockets.add(socket);
  socket.on('error', () => {});
  socket.pause();
  socket.write(head);
  const timer = slow ? setInterval(() => socket.writable && socket.write('x'), BYTE_MS) : undefined;
  socket.on('close', () => {
    clearInterval(timer);
    sockets.delete(socket);
    // An attacker comes back.
    if (!stopped) setTimeout(() => stopped || open(url, head, { slow }), BYTE_MS);
  });
  // A paused socket does not notice that the server has ended the connection.
  if (slow) socket.resume();
  return new Promise((resolve) => socket.once('connect', resolve).once('error', resolve));
}

async function flood(url) {
  const { port } = new URL(url);
  while (!stopped) {
    await new Promise((resolve) => {
      const socket = connect(Number(port), '127.0.0.1', () => socket.resetAndDestroy());
      socket.on('error', () => {}).on('close', resolve);
    });
    connects++;
  }
}

process.on('message', async (message) => {
  if (message.attack) {
    const { attack: url, each } = message;
    const { pathname, search } = new URL(url);
    const kinds = [
      ['GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ', { slow: true }],
      [
        'POST /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{',
        { slow: true },
      ],
      [
        `GET ${pathname}${search} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n`,
        { slow: false },
      ],
    ];
    for (let i = 0; i < each; i += 100) {
      const some = Math.min(100, each - i);
      await Promise.all(
        kinds.flatMap(([head, how]) => Array.from({ length: some }, () => open(url, head, how))),
      );
    }
    for (let i = 0; i < FLOOD; i++) void flood(url);
    process.send({ type: 'attacking', open: sockets.size });
  }
  if (message.stop) {
    stopped = true;
    for (const socket of sockets) socket.resetAndDestroy();
    process.send({ type: 'stopped', connects });
  }
});
process.send({ type: 'ready' });

// A process that sends the same POST request over several connections, each with one request at a time. It answers
// {url, body, connections, count or ms} with the number of requests, how long they took, and their latency in ms.
import { connect } from 'node:net';
import { percentile } from './table.mjs';

/** Opens a connection. `send` resolves when the response has arrived. */
async function openConnection(port, request) {
  const socket = connect(port, '127.0.0.1');
  socket.setNoDelay(true);
  let received = '';
  let arrived;
  let failed;
  socket.setEncoding('latin1');
  socket.on('error', (error) => failed?.(error));
  socket.on('close', () => failed?.(new Error('the connection was closed')));
  socket.on('data', (data) => {
    received += data;
    const head = received.indexOf('\r\n\r\n');
    if (head < 0) return;
    const length = Number(/^content-length: (\d+)/im.exec(received)?.[1]);
    if (received.length < head + 4 + length) return;
    const response = received;
    received = '';
    if (/^HTTP\/1\.1 2/.test(response)) arrived();
    else failed(new Error(response));
  });
  return {
    send: () =>
      new Promise((resolve, reject) => {
        arrived = resolve;
        failed = reject;
        socket.write(request);
      }),
    close: () => {
      failed = undefined;
      socket.destroy();
    },
  };
}

async function post({
  url,
  body,
  connections,
  count = Number.POSITIVE_INFINITY,
  ms = Number.POSITIVE_INFINITY,
}) {
  const { port, pathname } = new URL(url);
  const request = [
    `POST ${pathname} HTTP/1.1`,
    'Host: 127.0.0.1',
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    '',
    body,
  ].join('\r\n');
  const opened = await Promise.all(
    Array.from({ length: connections }, () => openConnection(Number(port), request)),
  );
  const latencies = [];
  const begun = performance.now();
  let sent = 0;
  await Promise.all(
    opened.map(async ({ send }) => {
      while (sent < count && performance.now() - begun < ms) {
        sent++;
        const at = performance.now();
        await send();
        latencies.push(performance.now() - at);
      }
    }),
  );
  const took = performance.now() - begun;
  for (const { close } of opened) close();
  return { requests: sent, ms: took, p50: percentile(latencies, 0.5), p99: percentile(latencies, 0.99) };
}

process.on('message', async (message) => {
  if (message.url) process.send({ type: 'posted', ...(await post(message)) });
});
process.send({ type: 'ready' });

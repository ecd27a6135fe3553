// What a viewer costs the API over HTTP/2, with the seven tabs of a browser on each connection, and over HTTP/1.1 with TLS, with
// a connection each.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { openMore, openViewers, startHeadwayChannel } from './lib/channels.mjs';
import { row } from './lib/goals.mjs';
import { sleep, temporaryFolder } from './lib/processes.mjs';
import { scaled } from './lib/sizes.mjs';
import { median, printTable } from './lib/table.mjs';

const VIEWERS = 7 * scaled(150);
const EVENTS = scaled(200);
const FIRST_EVENTS = 50;
const EVENT_MS = 20;
const ROUNDS = 3;
const KiB = 1024;
const CLIENTS = { 'HTTP/1.1': 'bench/lib/viewers.mjs', 'HTTP/2': 'bench/lib/h2-viewers.mjs' };

/** Makes the certificate of the API. */
function certificate() {
  const folder = temporaryFolder();
  const [cert, key] = [join(folder, 'tls.crt'), join(folder, 'tls.key')];
  const request =
    'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=localhost';
  execFileSync('openssl', [...request.split(' '), '-keyout', key, '-out', cert], { stdio: 'ignore' });
  return { TLS_CERT: cert, TLS_KEY: key };
}

/** Returns the CPU time of the API per delivered event, in µs, and its memory per viewer at rest, in KiB. */
async function measure(env, client) {
  const side = await startHeadwayChannel(env);
  const viewers = await openViewers(side, VIEWERS, client);
  const deliver = async (count) => {
    viewers.send({ count: true });
    const { frames } = await viewers.next();
    const before = await side.api.probe({ gc: true });
    viewers.send({ expect: frames + count * VIEWERS });
    const arrived = viewers.next();
    for (let i = 0; i < count; i++) {
      await side.publish();
      await sleep(EVENT_MS);
    }
    await arrived;
    return ((await side.api.probe()).cpuUs - before.cpuUs) / (count * VIEWERS);
  };
  await deliver(FIRST_EVENTS);
  const cpu = await deliver(EVENTS);
  const before = (await side.api.probe({ gc: true })).rssBytes;
  await openMore(viewers, side, VIEWERS);
  await sleep(2000);
  const memory = ((await side.api.probe({ gc: true })).rssBytes - before) / VIEWERS / KiB;
  await viewers.stop();
  await side.stop();
  return { cpu, memory };
}

export async function http2() {
  console.log(`\nhttp2: ${VIEWERS} viewers over TLS, ${EVENTS} events, median of ${ROUNDS} rounds in turn`);
  // The certificate is made here, and the job is started over HTTPS.
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
  const env = certificate();
  const results = new Map(Object.keys(CLIENTS).map((name) => [name, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, client] of Object.entries(CLIENTS)) results.get(name).push(await measure(env, client));
  }
  delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
  const [h1, h2] = [...results.values()].map((rounds) => ({
    cpu: median(rounds.map(({ cpu }) => cpu)),
    memory: median(rounds.map(({ memory }) => memory)),
  }));
  printTable([
    ['', 'µs CPU/event', 'KiB/viewer'],
    ['HTTP/1.1', h1.cpu.toFixed(2), h1.memory.toFixed(1)],
    ['HTTP/2', h2.cpu.toFixed(2), h2.memory.toFixed(1)],
  ]);
  return [
    row('an event to one of seven viewers per connection over HTTP/2, against HTTP/1.1 with TLS', {
      unit: 'µs CPU',
      peer: h1.cpu,
      headway: h2.cpu,
      atMost: 1,
    }),
    row('memory of such a viewer, against one over HTTP/1.1 with TLS', {
      unit: 'KiB',
      peer: h1.memory,
      headway: h2.memory,
      atMost: 1,
    }),
  ];
}

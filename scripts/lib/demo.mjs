import { createWriteStream, mkdtempSync, openAsBlob, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ENDING_SIGNALS } from './command.mjs';
import { say } from './say.mjs';
import { startService } from './service.mjs';

const ROWS = 200_000;
const BAR = 30;

/**
 * Starts everything, imports a CSV file over HTTP, shows its progress from the stream and prints the result. A signal
 * stops the demo and every process that it started.
 * @param onParentGone as in src/shared/process/parent.ts
 * @returns the exit code
 */
export async function runDemo(root, onParentGone) {
  const work = mkdtempSync(join(tmpdir(), 'headway-demo-'));
  const log = createWriteStream(join(work, 'service.log'));
  const interrupted = new Promise((resolve) => {
    for (const signal of ENDING_SIGNALS) process.on(signal, () => resolve(130));
    onParentGone(() => resolve(130));
  });
  const starting = startService({
    root,
    env: {
      ...process.env,
      PORT: process.env.PORT || '0',
      DATA_DIR: process.env.DATA_DIR || join(work, 'data'),
      // After an interrupt, the demo does not wait for its job.
      SHUTDOWN_GRACE_MS: '0',
    },
    write: (name, line) => log.write(`${name} | ${line}\n`),
  });
  try {
    return await Promise.race([starting.then(({ url }) => importFile(url, work)), interrupted]);
  } finally {
    const service = await starting.catch(() => undefined);
    await service?.stop();
    rmSync(work, { recursive: true, force: true });
  }
}

async function importFile(url, work) {
  const file = join(work, 'demo.csv');
  await writeCsv(file, ROWS);
  const uploaded = await send(`${url}/v1/files?name=demo.csv`, {
    method: 'POST',
    body: await openAsBlob(file),
  });
  say(`Uploaded ${uploaded.name}: ${uploaded.size} bytes`);
  const job = await send(`${url}/v1/jobs`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ name: 'csv-import', data: { file: uploaded.id } }),
  });
  say(`Started ${job.name} ${job.id}`);
  const end = await watch(`${url}${job.links.events}`, job.token);
  const result = await fetch(`${url}${job.links.result}`, {
    headers: { Authorization: `Bearer ${job.token}` },
  });
  console.log(JSON.stringify(await result.json(), null, 2));
  return end === 'completed' && result.ok ? 0 : 1;
}

async function send(url, init) {
  const response = await fetch(url, init);
  const body = await response.json();
  if (!response.ok) throw new Error(`${init.method} ${url}: ${response.status} ${body.detail}`);
  return body;
}

/** Watches a job to its end. Resolves to the name of the terminal event. */
async function watch(url, token) {
  const { EventSourceParserStream } = await import('eventsource-parser/stream');
  const response = await fetch(url, {
    headers: { Authorization: `Bearer ${token}`, Accept: 'text/event-stream' },
  });
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  const events = response.body
    .pipeThrough(new TextDecoderStream())
    .pipeThrough(new EventSourceParserStream());
  let last;
  for await (const { event, data } of events) {
    last = event;
    const said = JSON.parse(data);
    if (event === 'progress') drawBar(said);
    else if (event === 'log') interrupt(`  ${said.message}`);
    else interrupt(`  [${event}]${said.error ? ` ${said.error.message}` : ''}`);
  }
  return last;
}

let lastPlain = -1;

function drawBar({ percent, stage, current, total, unit, etaMs }) {
  if (percent === null) return;
  const done = Math.round((percent / 100) * BAR);
  const eta = etaMs === undefined ? '' : `, about ${Math.ceil(etaMs / 1000)} s left`;
  const counts = current === undefined ? '' : `: ${current} of ${total} ${unit}`;
  const text = `${'█'.repeat(done)}${'░'.repeat(BAR - done)} ${percent.toFixed(1).padStart(5)} %  ${stage}${counts}${eta}`;
  if (process.stdout.isTTY) process.stdout.write(`\r\x1b[K${text}`);
  else if (Math.floor(percent / 10) !== lastPlain) {
    lastPlain = Math.floor(percent / 10);
    console.log(text);
  }
}

function interrupt(line) {
  if (process.stdout.isTTY) process.stdout.write('\r\x1b[K');
  console.log(line);
}

async function writeCsv(path, rows) {
  const out = createWriteStream(path);
  out.write('id,name,email,amount,paid,ordered\n');
  for (let from = 1; from <= rows; from += 5000) {
    let text = '';
    for (let id = from; id < from + 5000 && id <= rows; id++) {
      // One row in 10,000 is wrong, so that the report is not empty.
      const amount = id % 10_000 === 0 ? 'unknown' : (id * 1.37).toFixed(2);
      text += `${id},"Customer, ${id}",customer${id}@example.com,${amount},${id % 3 === 0},2026-${String((id % 12) + 1).padStart(2, '0')}-15\n`;
    }
    if (!out.write(text)) await new Promise((resolve) => out.once('drain', resolve));
  }
  await new Promise((resolve, reject) => out.end((error) => (error ? reject(error) : resolve())));
}

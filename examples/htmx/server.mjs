// Serves the page and htmx, and starts jobs for the page. It answers with HTML, as htmx expects.
//   node examples/htmx/server.mjs
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { headwayUrl, serve } from '../serve.mjs';

const file = (path) => fileURLToPath(new URL(path, import.meta.url));
const modules = '../../node_modules';

serve(file('.'), {
  files: {
    '/htmx.js': file(`${modules}/htmx.org/dist/htmx.min.js`),
    '/sse.js': file(`${modules}/htmx-ext-sse/dist/sse.min.js`),
  },
  routes: { 'POST /jobs': startJob },
});

async function startJob(req, res) {
  const form = new URLSearchParams(await text(req));
  const data = { count: 30, intervalMs: 50, ...(form.has('fail') ? { failAt: 10 } : {}) };
  const response = await fetch(`${headwayUrl}/v1/jobs`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ name: 'steps', data }),
  });
  const job = await response.json();
  if (!response.ok) throw new Error(job.detail);
  res.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' }).end(running(job));
}

/**
 * The HTML of a running job. Each `sse-swap` inserts an event with the template that `json-template` names. The last event
 * replaces the element that holds the connection, which closes it; the extension would reopen it otherwise.
 */
const running = ({ links, token }) => `
<section id="job" sse-connect="${links.events}?token=${token}">
  <div sse-swap="progress" json-template="bar"><progress aria-label="Progress"></progress></div>
  <ul sse-swap="log" json-template="line" hx-swap="beforeend"></ul>
  <div sse-swap="completed" json-template="completed" hx-target="#job" hx-swap="outerHTML"></div>
  <div sse-swap="failed" json-template="failed" hx-target="#job" hx-swap="outerHTML"></div>
  <div sse-swap="cancelled" json-template="cancelled" hx-target="#job" hx-swap="outerHTML"></div>
</section>`;

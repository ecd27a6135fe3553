// Serves the folder of an example at http://127.0.0.1:8080/ and forwards /v1 and /stream to Headway, like a reverse proxy
// in front of both: for the browser, they are one origin.
//   node examples/serve.mjs html
// PORT: defaults to 8080. HEADWAY_URL: defaults to http://127.0.0.1:3000.
import { createReadStream, existsSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css' };

export const headwayUrl = process.env.HEADWAY_URL || 'http://127.0.0.1:3000';

/**
 * Serves a folder.
 * @param folder with the files; `index.html` is served for /
 * @param files further files: path of the URL → path of the file
 * @param routes handlers: `POST /jobs` → (req, res)
 */
export function serve(folder, { files = {}, routes = {} } = {}) {
  const server = createServer(async (req, res) => {
    const { pathname } = new URL(req.url, 'http://localhost');
    if (/^\/(v1|stream)(\/|$)/.test(pathname)) return pass(req, res);
    try {
      const route = routes[`${req.method} ${pathname}`];
      if (route) await route(req, res);
      else sendFile(res, files[pathname] ?? own(folder, pathname));
    } catch (error) {
      console.error(error.message);
      if (res.headersSent) res.destroy();
      else res.writeHead(502, { 'Content-Type': 'text/plain' }).end(error.message);
    }
  });
  server.listen(process.env.PORT || 8080, '127.0.0.1', () => {
    console.log(`http://127.0.0.1:${server.address().port}/`);
  });
}

/** Returns the path of a file directly in the folder. */
const own = (folder, pathname) =>
  /^\/[a-z-]+\.(html|js|css)$/.test(pathname)
    ? join(folder, pathname)
    : pathname === '/' && join(folder, 'index.html');

function sendFile(res, path) {
  if (!path || !existsSync(path)) return res.writeHead(404).end();
  res.writeHead(200, { 'Content-Type': `${TYPES[extname(path)]}; charset=utf-8` });
  createReadStream(path).pipe(res);
}

/** Forwards a request. When one side closes the connection, the other side is closed too. */
function pass(req, res) {
  const onward = request(new URL(req.url, headwayUrl), { method: req.method, headers: req.headers });
  onward.on('response', (answer) => {
    res.writeHead(answer.statusCode, answer.headers);
    answer.pipe(res);
    answer.on('close', () => res.destroyed || res.end());
  });
  onward.on('error', () => {
    if (res.headersSent) res.destroy();
    else res.writeHead(502).end();
  });
  res.on('close', () => onward.destroy());
  req.pipe(onward);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  serve(fileURLToPath(new URL(process.argv[2] ?? 'html', import.meta.url)));
}

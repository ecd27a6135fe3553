// Loaded into an API process before its code (NODE_OPTIONS=--import). It writes every route to ROUTES_FILE when the server
// begins to listen. Express does not keep the path of a mounted router, so it is recorded when the router is mounted.
import fs, { writeFileSync } from 'node:fs';
import { Server } from 'node:http';
import { createRequire, syncBuiltinESMExports } from 'node:module';
import { pathToFileURL } from 'node:url';

// The program as it is published: it loads the express that is resolved below. The other has one inside of its bundle.
const { existsSync } = fs;
fs.existsSync = (path) => !String(path).endsWith('/.programs/load.mjs') && existsSync(path);
syncBuiltinESMExports();

const { resolve } = createRequire(new URL('../../dist/api/main.js', import.meta.url));
const { default: express } = await import(pathToFileURL(resolve('express')).href);

const roots = new Set();
const mounts = new Map();
const { prototype } = express.Router;
const { use } = prototype;
prototype.use = function (...args) {
  roots.add(this);
  const path = typeof args[0] === 'string' ? args[0] : '';
  for (const child of args) {
    if (!child?.stack) continue;
    mounts.set(child, { parent: this, path });
  }
  return use.apply(this, args);
};

const rootPath = (router) => (mounts.has(router) ? rootPath(mounts.get(router).parent) : router);
const pathOf = (router) => {
  const mount = mounts.get(router);
  return mount ? pathOf(mount.parent) + mount.path : '';
};

/** Returns the routes of one router, with paths as in OpenAPI. */
const routesOf = (router) =>
  router.stack.flatMap(({ route }) => {
    if (!route) return [];
    const path = `${pathOf(router)}${route.path}`
      .replaceAll('//', '/')
      .replace(/(.)\/$/, '$1')
      .replace(/\/:(\w+)/g, '/{$1}')
      .replaceAll('\\', '');
    const methods = Object.keys(route.methods).filter((method) => method !== '_all' && method !== 'head');
    return methods.map((method) => ({ method, path }));
  });

const { listen } = Server.prototype;
Server.prototype.listen = function (...args) {
  const routers = [...new Set([...roots, ...mounts.keys()])];
  // Bull Board is a separate application; its routes are not in the document.
  const ours = routers.find((router) => routesOf(router).some(({ path }) => path === '/healthz'));
  const routes = routers.filter((router) => rootPath(router) === rootPath(ours)).flatMap(routesOf);
  if (process.env.ROUTES_FILE) writeFileSync(process.env.ROUTES_FILE, JSON.stringify(routes));
  return listen.apply(this, args);
};

// Loaded into an API process before its own code (NODE_OPTIONS=--import): writes every route that it has to ROUTES_FILE
// when it begins to listen. Express remembers no path of what is mounted, so it is noted when that is done.
import { writeFileSync } from 'node:fs';
import { Server } from 'node:http';
import express from 'express';

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

/** The routes of one router, with paths as OpenAPI writes them. */
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
  // The board is an application of its own.
  const ours = routers.find((router) => routesOf(router).some(({ path }) => path === '/healthz'));
  const routes = routers.filter((router) => rootPath(router) === rootPath(ours)).flatMap(routesOf);
  if (process.env.ROUTES_FILE) writeFileSync(process.env.ROUTES_FILE, JSON.stringify(routes));
  return listen.apply(this, args);
};

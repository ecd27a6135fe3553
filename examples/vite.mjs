import { fileURLToPath } from 'node:url';
import { headwayUrl } from './serve.mjs';

const built = (path) => fileURLToPath(new URL(`../dist/client/${path}`, import.meta.url));

/**
 * The Vite configuration of an example: a development server at http://127.0.0.1:8080/ that passes /v1 and /stream on
 * to Headway.
 * @param packages what it imports; named here, so that Vite makes them ready before the first visitor comes
 */
export const example = (name, packages, more = {}) => ({
  // The examples use the client as it is built here; elsewhere it comes with the package.
  resolve: {
    alias: {
      'headway/vue': built('vue/index.js'),
      'headway/react': built('react/index.js'),
    },
    dedupe: packages,
  },
  optimizeDeps: { include: packages },
  cacheDir: fileURLToPath(new URL(`../node_modules/.vite/example-${name}`, import.meta.url)),
  server: {
    host: '127.0.0.1',
    port: Number(process.env.PORT || 8080),
    strictPort: true,
    proxy: { '/v1': headwayUrl, '/stream': headwayUrl },
  },
  ...more,
});

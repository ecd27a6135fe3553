import { fileURLToPath } from 'node:url';
import { headwayUrl } from './serve.mjs';

const built = (path) => fileURLToPath(new URL(`../dist/client/${path}`, import.meta.url));

/**
 * Returns the Vite configuration of an example: a development server at http://127.0.0.1:8080/ that forwards /v1 and
 * /stream to Headway.
 * @param packages the imported packages, which Vite prepares before the first visit
 */
export const example = (name, packages, more = {}) => ({
  // The examples use the client from this repository's build. In a project, it comes with the package.
  resolve: {
    alias: {
      'headway-client/vue': built('vue/index.js'),
      'headway-client/react': built('react/index.js'),
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

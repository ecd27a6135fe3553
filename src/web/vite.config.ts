import { join } from 'node:path';
import vue from '@vitejs/plugin-vue';
import { defineConfig } from 'vite';

export default defineConfig({
  root: import.meta.dirname,
  // Relative links, because the service can run below any path.
  base: './',
  plugins: [vue()],
  build: {
    outDir: '../../dist/web',
    emptyOutDir: true,
    assetsInlineLimit: 0,
    // For older browsers, `:dir(rtl)` would be compiled to a list of languages, which has another meaning.
    cssTarget: ['chrome120', 'firefox121', 'safari16.4'],
    // The renderer of the API reference is one file of 740 kB.
    chunkSizeWarningLimit: 1000,
    rollupOptions: {
      input: ['index.html', 'dashboard.html', 'docs/index.html'].map((page) =>
        join(import.meta.dirname, page),
      ),
    },
  },
  server: { proxy: { '/v1': 'http://127.0.0.1:3000' } },
});

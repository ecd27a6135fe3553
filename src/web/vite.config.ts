import vue from '@vitejs/plugin-vue';
import { defineConfig } from 'vite';

export default defineConfig({
  root: import.meta.dirname,
  plugins: [vue()],
  build: {
    outDir: '../../dist/web',
    emptyOutDir: true,
    assetsInlineLimit: 0,
    rollupOptions: {
      input: ['index.html', 'dashboard.html'].map((file) => `${import.meta.dirname}/${file}`),
    },
  },
  server: { proxy: { '/v1': 'http://127.0.0.1:3000' } },
});

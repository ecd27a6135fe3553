import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkPaths, checkStop, type Recipe, reload, startRecipe } from '../support/recipe.js';

/** As `npx sv create` makes them. */
const VITE_CONFIG = `import { sveltekit } from '@sveltejs/kit/vite';
import { defineConfig } from 'vite';
export default defineConfig({ plugins: [sveltekit()] });`;
const APP_HTML = `<!doctype html>
<html lang="en">
  <head><meta charset="utf-8" /><link rel="icon" href="data:," />%sveltekit.head%</head>
  <body data-sveltekit-preload-data="hover"><div style="display: contents">%sveltekit.body%</div></body>
</html>`;

describe.skipIf(!process.env.RECIPES)('getting started with SvelteKit', { timeout: 300_000 }, () => {
  let recipe: Recipe;
  beforeAll(async () => {
    recipe = await startRecipe('sveltekit', {
      'jobs.mjs': 'express-jobs',
      'worker.mjs': 'express-worker',
      'svelte.config.js': 'sveltekit-config',
      'src/lib/server/headway.js': 'sveltekit-headway',
      'src/routes/v1/[...path]/+server.js': 'sveltekit-route',
      'src/routes/+page.svelte': 'sveltekit-page',
    });
    recipe.write('vite.config.js', VITE_CONFIG);
    recipe.write('src/app.html', APP_HTML);
  });
  afterAll(() => recipe.stop());

  it('with the development server, which keeps its connections when it loads modules again', async () => {
    const server = await recipe.serve('vite dev --port {port}');
    await recipe.use(server.url);
    await recipe.checkHttp(server);
    const connections = await recipe.connections();
    await reload(recipe, server, 'src/lib/server/headway.js', 'sveltekit-headway');
    expect(await recipe.connections()).toBe(connections);
    await server.stop();
  });

  it('built for production', async () => {
    recipe.write('src/routes/stream/+server.js', recipe.said('sveltekit-stream'));
    const route = recipe
      .said('sveltekit-route')
      .replace(/ *return headway.fetch.*\n/, recipe.said('sveltekit-base-path'));
    recipe.write('src/routes/api/headway/v1/[...path]/+server.js', route);
    await recipe.run('vite build');
    const server = await recipe.serve(
      'env PORT={port} ORIGIN=http://localhost:{port} BODY_SIZE_LIMIT=Infinity node build',
    );
    await recipe.use(server.url);
    await recipe.checkHttp(server);
    await checkPaths(server, '/api/headway');
    await checkStop(server);
  });
});

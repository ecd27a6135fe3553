import { rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkPaths, checkStop, type Recipe, reload, startRecipe } from '../support/recipe.js';

describe.skipIf(!process.env.RECIPES)('getting started with Nuxt', { timeout: 300_000 }, () => {
  let recipe: Recipe;
  beforeAll(async () => {
    recipe = await startRecipe('nuxt', {
      'server/jobs.mjs': 'express-jobs',
      'server/worker.mjs': 'express-worker',
      'nuxt.config.js': 'nuxt-config',
      'server/routes/v1/[...path].js': 'nuxt-route',
      'app/app.vue': 'nuxt-app',
    });
  });
  afterAll(() => recipe.stop());

  it('with the development server, which closes its connections when it loads modules again', async () => {
    const server = await recipe.serve('nuxt dev --port {port}');
    await recipe.use(server.url);
    await recipe.checkHttp(server);
    const connections = await recipe.connections();
    await reload(recipe, server, 'server/routes/v1/[...path].js', 'nuxt-route');
    expect(await recipe.connections()).toBe(connections);
    await server.stop();
  });

  it('built for production, under another path', async () => {
    const there = recipe
      .said('nuxt-route')
      .replace('../../jobs', '../../../../jobs')
      .replace('settings: {', "settings: { PUBLIC_URL: 'http://localhost/api/headway',");
    rmSync(`${recipe.folder}/server/routes/v1`, { recursive: true });
    recipe.write('server/routes/api/headway/v1/[...path].js', there);
    recipe.write('server/routes/api/headway/stream.js', recipe.said('nuxt-stream'));
    recipe.write('app/plugins/headway.js', recipe.said('nuxt-plugin'));
    await recipe.run('nuxt build');
    const server = await recipe.serve('env PORT={port} node .output/server/index.mjs', '/api/headway');
    await recipe.use(server.url);
    await recipe.checkHttp(server);
    await checkPaths(server);
    await checkStop(server);
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkPaths, checkStop, type Recipe, reload, startRecipe } from '../support/recipe.js';

describe.skipIf(!process.env.RECIPES)('getting started with Next.js', { timeout: 300_000 }, () => {
  let recipe: Recipe;
  beforeAll(async () => {
    recipe = await startRecipe('next', {
      'jobs.mjs': 'express-jobs',
      'worker.mjs': 'express-worker',
      'next.config.mjs': 'next-config',
      'headway.mjs': 'next-headway',
      'app/v1/[...path]/route.js': 'next-route',
      'app/greetings.jsx': 'next-component',
      'app/page.jsx': 'next-page',
      'app/layout.jsx': 'next-layout',
    });
  });
  afterAll(() => recipe.stop());

  it('with the development server, which keeps its connections when it loads modules again', async () => {
    const server = await recipe.serve('next dev -p {port}');
    await recipe.use(server.url);
    await recipe.checkHttp(server);
    const connections = await recipe.connections();
    await reload(recipe, server, 'headway.mjs', 'next-headway');
    expect(await recipe.connections()).toBe(connections);
    await server.stop();
  });

  it('built for production', async () => {
    recipe.write('app/stream/route.js', recipe.said('next-stream'));
    const other = recipe.said('next-route').replace('../../../', '../../../../');
    const route = other.replace(/ *return headway.fetch.*\n/, recipe.said('next-base-path'));
    recipe.write('app/api/headway/[...path]/route.js', route);
    await recipe.run('next build');
    const server = await recipe.serve('next start -p {port}');
    await recipe.use(server.url);
    await recipe.checkHttp(server);
    await checkPaths(server, '/api/headway');
    await checkStop(server);
  });
});

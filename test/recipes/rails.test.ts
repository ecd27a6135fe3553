import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type BackendPages,
  expectContinued,
  SECRET,
  startBackendPages,
  watchBar,
} from '../support/backend-page.js';
import { block } from '../support/documentation.js';
import { runToEnd } from '../support/example.js';
import { temporaryFolder } from '../support/folder.js';

const NEW =
  'rails new . --minimal --name=shop --skip-active-record --skip-sprockets --skip-listen --skip-bundle --skip-git';

describe.skipIf(!process.env.RECIPES)('getting started with Rails', () => {
  let pages: BackendPages;
  const folder = temporaryFolder();
  const SERVER = `cd ${folder} && exec bundle exec puma -b tcp://127.0.0.1:{port} -e development`;
  const write = (path: string, content: string): void => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  };
  const change = (path: string, from: string, to: string): void => {
    const text = readFileSync(join(folder, path), 'utf8');
    expect(text).toContain(from);
    write(path, text.replace(from, to));
  };
  const env = (publicUrl?: string): Record<string, string> => ({
    HEADWAY_URL: pages.headway.api.url,
    HEADWAY_SECRET: SECRET,
    ...(publicUrl === undefined ? {} : { HEADWAY_PUBLIC_URL: publicUrl }),
  });
  /** Writes an application with the code of the page. */
  async function createProject(): Promise<void> {
    await runToEnd(`cd ${folder} && ${NEW}`, {});
    write('Gemfile', "gem 'rails'\ngem 'puma'\ngem 'jwt'\n");
    await runToEnd(`cd ${folder} && bundle install --local`, {});
    change(
      'config/application.rb',
      '    config.load_defaults',
      `${block('rails-config')}\n    config.load_defaults`,
    );
    write('app/models/headway.rb', block('rails-headway'));
    write('app/controllers/jobs_controller.rb', block('rails-controller'));
    write(
      'app/controllers/application_controller.rb',
      `class ApplicationController < ActionController::Base
  User = Struct.new(:id)
  def current_user
    User.new(7)
  end
end
`,
    );
    write('config/routes.rb', block('rails-routes'));
    write('config/initializers/content_security_policy.rb', block('rails-csp'));
    write('app/views/jobs/show.html.erb', block('rails-show'));
    write('app/views/jobs/index.html.erb', block('rails-index'));
    const turbo = `${process.env.RECIPES}/rails/node_modules/@hotwired/turbo/dist/turbo.es2017-esm.js`;
    copyFileSync(turbo, join(folder, 'public/turbo.js'));
    const layout = (permanent: string) => `<!DOCTYPE html>
<html>
  <head>
    <title>Shop</title>
    <%= csrf_meta_tags %>
    <%= csp_meta_tag %>
    <%= tag.script type: 'module', src: '/turbo.js' %>
    ${block('rails-head')}
  </head>
  <body>
    <%= yield %>
    ${permanent}
  </body>
</html>
`;
    write('app/views/layouts/application.html.erb', layout(''));
    write('app/views/layouts/permanent.html.erb', layout(block('rails-permanent')));
    change(
      'app/controllers/jobs_controller.rb',
      'ApplicationController\n',
      `ApplicationController
  layout -> { ENV['PERMANENT'] ? 'permanent' : 'application' }
`,
    );
  }
  beforeAll(async () => {
    pages = await startBackendPages();
    await createProject();
    await pages.serve(SERVER, env());
  }, 120_000);
  afterAll(() => pages.stop());

  it('shows a job that a controller has started, also after the page was loaded again', async () => {
    const { page, complaints } = await pages.open(await pages.browser.newContext(), pages.url);
    await page.locator('[name=count]').fill('60');
    await page.getByRole('button', { name: 'Start' }).click();
    const before = await watchBar(page, 20);
    await page.reload();
    expectContinued(before, await watchBar(page, 100));
    const address = page.url();

    // Headway checks the data, and its explanation reaches the page.
    await page.goto(pages.url);
    await page.locator('[name=count]').fill('-1');
    await page.getByRole('button', { name: 'Start' }).click();
    await page.getByRole('alert').waitFor();
    expect(await page.getByRole('alert').textContent()).toMatch(/count/);
    expect(complaints).toEqual([]);
    const stranger = await pages.browser.newContext();
    expect((await stranger.request.get(address)).status()).toBe(404);
    await Promise.all([page.context(), stranger].map((each) => each.close()));
    await pages.viewers(0);
  });

  it('ends its stream when Turbo shows another page, and continues when it shows this one again', async () => {
    const { page, complaints } = await pages.open(await pages.browser.newContext(), pages.url);
    // Stays as long as Turbo replaces the page without loading it.
    await page.evaluate('window.isSame = true');
    await page.locator('[name=count]').fill('200');
    await page.getByRole('button', { name: 'Start' }).click();
    const first = await watchBar(page, 5);
    for (const back of [() => page.goBack(), () => page.locator('a', { hasText: 'steps.' }).click()]) {
      await page.getByRole('link', { name: 'All jobs' }).click();
      await page.getByRole('button', { name: 'Start' }).waitFor();
      await pages.viewers(0);
      await back();
      const seen = await watchBar(page, first.at(-1)! + 5);
      expect(seen[0]).toBeGreaterThanOrEqual(first.at(-1)!);
      expect(seen.at(-1)).toBeLessThan(100);
      first.push(...seen);
    }
    expect(await page.evaluate('window.isSame')).toBe(true);
    await pages.viewers(1);
    expect(complaints).toEqual([]);
    await page.context().close();
    await pages.viewers(0);
  });

  it('works behind one proxy with Headway, and stays the same element on every page', async () => {
    const url = await pages.serveBehindProxy(SERVER, {
      ...env(''),
      PERMANENT: '1',
      PIDFILE: 'tmp/other.pid',
    });
    const { page, complaints } = await pages.open(await pages.browser.newContext(), url);
    await page.locator('[name=count]').fill('60');
    await page.getByRole('button', { name: 'Start' }).click();
    const before = await watchBar(page, 10);
    await page.evaluate("document.querySelector('[data-turbo-permanent]').isSame = true");
    await page.getByRole('link', { name: 'All jobs' }).click();
    await page.getByRole('button', { name: 'Start' }).waitFor();
    expectContinued(before, await watchBar(page, 100));
    expect(await page.evaluate("document.querySelector('[data-turbo-permanent]').isSame")).toBe(true);
    const policy = (await page.reload())!.headers()['content-security-policy'];
    expect(policy).not.toContain('http');
    expect(complaints).toEqual([]);
    await page.context().close();
    await pages.viewers(0);
  });
});

import { createElement } from 'react';
import { renderToString as renderReact } from 'react-dom/server';
import { derived, get, type Readable } from 'svelte/store';
import { describe, expect, it } from 'vitest';
import { createSSRApp, h } from 'vue';
import { renderToString as renderVue } from 'vue/server-renderer';
import { JobProgressElement } from '../../src/client/element/index.js';
import de from '../../src/client/labels/de.js';
import ja from '../../src/client/labels/ja.js';
import {
  HeadwayProvider,
  JobProgress,
  useChannel as useReactChannel,
  useJob as useReactJob,
} from '../../src/client/react/index.js';
import { channelStore, jobStore } from '../../src/client/svelte/index.js';
import type { WatchedJob } from '../../src/client/view.js';
import {
  headway,
  useChannel as useVueChannel,
  useJob as useVueJob,
  JobProgress as VueJobProgress,
} from '../../src/client/vue/index.js';

const ID = 'steps.00000000-0000-4000-8000-000000000000';

describe('on a server, without a DOM', () => {
  it('renders an unknown job with React', () => {
    expect(globalThis.document).toBeUndefined();
    const View = () => {
      const { state, percent, status } = useReactJob(ID);
      const { events } = useReactChannel('news');
      return createElement('p', null, `${state} ${percent} ${status} ${events.length}`);
    };
    expect(renderReact(createElement(View))).toBe('<p>unknown null connecting 0</p>');
  });

  it('renders a bar without a value with React', () => {
    const html = renderReact(createElement(JobProgress, { job: ID, label: 'Import' }));
    expect(html).toContain('role="progressbar" aria-label="Import"');
    expect(html).not.toContain('aria-valuenow');
    const children = ({ state }: { state: string }) => createElement('b', null, state);
    expect(renderReact(createElement(JobProgress, { job: null, children }))).toContain('<b>unknown</b>');
  });

  it('renders the words of a provider or of the component, with React and Vue', async () => {
    const label = (html: string): string | undefined => /aria-label="(.*?)"/.exec(html)?.[1];
    const react = (labels?: typeof de) =>
      label(
        renderReact(
          createElement(HeadwayProvider, { labels: de }, createElement(JobProgress, { job: ID, labels })),
        ),
      );
    const vue = async (labels?: typeof de) =>
      label(
        await renderVue(
          createSSRApp({ render: () => h(VueJobProgress, { job: ID, labels }) }).use(headway, {
            url: 'http://127.0.0.1:1',
            labels: de,
          }),
        ),
      );
    expect([react(), react(ja), await vue(), await vue(ja)]).toEqual([
      'Fortschritt',
      '進捗',
      'Fortschritt',
      '進捗',
    ]);
  });

  it('renders a bar without a value with Vue', async () => {
    const app = createSSRApp({
      setup() {
        const { state } = useVueJob(`https://example.com/v1/jobs/${ID}`);
        const { events } = useVueChannel(['news', 'more']);
        return () =>
          h('main', [state.value, events.value.length, h(VueJobProgress, { job: ID, label: 'Import' })]);
      },
    });
    app.use(headway, { sse: true });
    const html = await renderVue(app);
    expect(html).toContain('unknown');
    expect(html).toContain('role="progressbar" aria-label="Import"');
    expect(html).not.toContain('aria-valuenow');
  });

  it('has stores for Svelte that show an unknown job', () => {
    const job: Readable<WatchedJob> = jobStore(ID);
    expect(get(job)).toMatchObject({ state: 'unknown', percent: null, status: 'connecting' });
    const count = derived(channelStore(['news', 'more']), ({ events }) => events.length);
    expect(get(count)).toBe(0);
  });

  it('loads the element', () => {
    expect(JobProgressElement).toBeTypeOf('function');
    expect(JobProgressElement.observedAttributes).toContain('src');
  });
});

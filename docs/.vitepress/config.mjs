import { existsSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitepress';
import { headingAnchor } from '../../scripts/lib/markdown.mjs';

const docs = fileURLToPath(new URL('..', import.meta.url));

const link = (text, path) => ({ text, link: `/${path}` });

/** The architecture pages, in the best order to read them. */
const ARCHITECTURE = [
  ['The path of an update', 'update-path'],
  ['Channels', 'channels'],
  ['Streams', 'streams'],
  ['The lifecycle of a job', 'lifecycle'],
  ['Reporting and threads', 'reporting'],
  ['Crashing jobs', 'worker-crashes'],
  ['Children', 'children'],
  ['BullMQ-only workers', 'foreign-workers'],
  ['Job index and retention', 'job-index'],
  ['Schedules', 'schedules'],
  ['Webhooks', 'webhooks'],
  ['Dashboard', 'dashboard'],
  ['Files', 'files'],
  ['Clocks', 'clocks'],
  ['The HTTP API', 'http'],
  ['The client', 'client'],
  ['The page', 'page'],
  ['The command line', 'cli'],
  ['Processes', 'processes'],
  ['Promises', 'promises'],
  ['Glossary', 'glossary'],
];

const SIDEBAR = [
  {
    text: 'Getting started',
    items: [
      link('npm create', 'getting-started/create'),
      link('Express', 'getting-started/express'),
      link('HTML', 'getting-started/html'),
      link('Vue', 'getting-started/vue'),
      link('React', 'getting-started/react'),
      link('Svelte', 'getting-started/svelte'),
      link('Next.js', 'getting-started/next'),
      link('Nuxt', 'getting-started/nuxt'),
      link('SvelteKit', 'getting-started/sveltekit'),
      link('React Native', 'getting-started/react-native'),
      link('Django', 'getting-started/django'),
      link('Rails', 'getting-started/rails'),
    ],
  },
  {
    text: 'Guides',
    items: [
      link('Jobs', 'guides/jobs'),
      link('Progress and stages', 'guides/progress'),
      link('Children', 'guides/children'),
      link('Cancel and retry', 'guides/cancel-and-retry'),
      link('Schedules', 'guides/schedules'),
      link('Webhooks', 'guides/webhooks'),
      link('Channels', 'guides/channels'),
      link('Authentication', 'guides/auth'),
      link('Dashboard and page', 'guides/dashboard'),
      link('JavaScript client', 'guides/client'),
      link('Command line', 'guides/cli'),
      link('BullMQ tools', 'guides/bullmq'),
      link('Workers in other languages', 'guides/other-languages'),
      link('Embedding', 'guides/embedding'),
    ],
  },
  {
    text: 'Operations',
    items: [
      link('Configuration', 'operations/configuration'),
      link('Redis', 'operations/redis'),
      link('Deployment', 'operations/deployment'),
      link('Scaling', 'operations/scaling'),
      link('From one machine to many', 'operations/many-machines'),
      link('Files', 'operations/files'),
      link('Limits', 'operations/limits'),
      link('Monitoring', 'operations/monitoring'),
      link('On call', 'operations/on-call'),
      link('Backup and restore', 'operations/backup'),
      link('Tracing', 'operations/tracing'),
      link('Failures', 'operations/failures'),
      link('Logs', 'operations/logging'),
      link('Alerts', 'operations/alerts'),
      link('Security', 'operations/security'),
    ],
  },
  {
    text: 'Reference',
    items: [
      link('HTTP API', 'reference/http'),
      link('Stream events', 'reference/events'),
      link('Redis keys', 'reference/redis-keys'),
      link('Errors', 'reference/errors'),
      link('Metrics', 'reference/metrics'),
      link('Performance', 'reference/performance'),
    ],
  },
  {
    text: 'Architecture',
    collapsed: true,
    items: ARCHITECTURE.map(([text, name]) => link(text, `architecture/${name}`)),
  },
  { text: 'Development', link: '/development' },
];

/** Shows links to files outside of docs/ as text: the site has only the pages in docs/. */
function plainOutsideLinks(md) {
  md.core.ruler.push('plain-outside-links', ({ tokens, env }) => {
    for (const { children } of tokens.filter(({ type }) => type === 'inline')) {
      let outside = false;
      for (const token of children) {
        if (token.type === 'link_open') outside = isOutside(token.attrGet('href'), env.path);
        if (outside && /^link_(open|close)$/.test(token.type)) {
          outside = token.type === 'link_open';
          Object.assign(token, { type: 'text', tag: '', attrs: null, content: '', nesting: 0 });
        }
      }
    }
  });
}

function isOutside(href, page) {
  if (/^[a-z]+:|^#/.test(href)) return false;
  const file = normalize(join(dirname(page), href.split('#')[0]));
  return !file.startsWith(docs) || !existsSync(file);
}

/** Passes diagrams to the component that draws them in the browser with the site's own Mermaid. */
function mermaidDiagrams(md) {
  const fence = md.renderer.rules.fence;
  md.renderer.rules.fence = (tokens, index, ...rest) => {
    const { info, content } = tokens[index];
    if (info.trim() !== 'mermaid') return fence(tokens, index, ...rest);
    return `<MermaidDiagram code="${encodeURIComponent(content)}" />\n`;
  };
}

export default defineConfig({
  title: 'Headway',
  description: 'Long-running jobs with live progress: BullMQ workers, Redis channels, server-sent events.',
  lang: 'en',
  cleanUrls: false,
  srcExclude: ['node_modules/**'],
  themeConfig: {
    sidebar: SIDEBAR,
    nav: [
      link('Guides', 'guides/jobs'),
      link('Reference', 'reference/http'),
      link('Configuration', 'operations/configuration'),
      link('Architecture', 'architecture/update-path'),
    ],
    outline: [2, 3],
    search: { provider: 'local' },
    externalLinkIcon: true,
  },
  markdown: {
    anchor: { slugify: headingAnchor },
    config(md) {
      plainOutsideLinks(md);
      mermaidDiagrams(md);
    },
  },
  vite: {
    // Mermaid is a large chunk of its own, which only pages with a diagram load.
    build: { chunkSizeWarningLimit: 3000 },
  },
});

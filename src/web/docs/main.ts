// The renderer as its authors publish it: one file that makes no requests to other hosts.
import 'openapi-explorer/dist/browser/openapi-explorer.min.js';
import { colors } from './colors';
import inside from './shadow.css?inline';
import './style.css';

const dark = matchMedia('(prefers-color-scheme: dark)');
const explorer = document.createElement('openapi-explorer');

/** Sets the colours. The renderer reads them from its attributes, at any time. */
function paint(): void {
  for (const [attribute, color] of Object.entries(colors[dark.matches ? 'dark' : 'light'])) {
    explorer.setAttribute(attribute, color);
  }
}

paint();
dark.addEventListener('change', paint);
explorer.setAttribute('hide-server-selection', 'true');
explorer.setAttribute('use-path-in-nav-bar', 'true');
explorer.setAttribute('collapse', 'true');
explorer.setAttribute('schema-expand-level', '2');
// Calls made from the reference send the cookies of this page.
explorer.setAttribute('fetch-credentials', 'same-origin');
const root = document.querySelector<HTMLMetaElement>('meta[name="headway-root"]')?.content ?? '/';
explorer.setAttribute('spec-url', `${root}openapi.json`);
document.body.append(explorer);

const sheet = new CSSStyleSheet();
sheet.replaceSync(inside);
explorer.shadowRoot?.adoptedStyleSheets.push(sheet);
// Makes the scrolling part reachable by keyboard, which matters for a schema: it contains nothing else to focus.
explorer.addEventListener('spec-loaded', async () => {
  await (explorer as HTMLElement & { updateComplete: Promise<unknown> }).updateComplete;
  explorer.shadowRoot?.querySelector('main')?.setAttribute('tabindex', '0');
});

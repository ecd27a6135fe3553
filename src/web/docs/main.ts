// The renderer as its authors built it: one file, which asks nobody but us for anything.
import 'openapi-explorer/dist/browser/openapi-explorer.min.js';
import { colors } from './colors';
import inside from './shadow.css?inline';
import './style.css';

const dark = matchMedia('(prefers-color-scheme: dark)');
const explorer = document.createElement('openapi-explorer');

/** The renderer takes its colours as attributes, and each of them at any time. */
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
// What is tried out is sent with the cookies of this page.
explorer.setAttribute('fetch-credentials', 'same-origin');
const root = document.querySelector<HTMLMetaElement>('meta[name="headway-root"]')?.content ?? '/';
explorer.setAttribute('spec-url', `${root}openapi.json`);
document.body.append(explorer);

const sheet = new CSSStyleSheet();
sheet.replaceSync(inside);
explorer.shadowRoot?.adoptedStyleSheets.push(sheet);
// The part that scrolls is reached with the keyboard also where it has nothing else to be reached: at a schema.
explorer.addEventListener('spec-loaded', async () => {
  await (explorer as HTMLElement & { updateComplete: Promise<unknown> }).updateComplete;
  explorer.shadowRoot?.querySelector('main')?.setAttribute('tabindex', '0');
});

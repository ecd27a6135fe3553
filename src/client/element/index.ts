/** Defines `<job-progress>`. Does nothing on a server, where there are no custom elements. */
import { JobProgressElement } from './job-progress.js';

export { JobProgressElement } from './job-progress.js';

if (typeof customElements !== 'undefined' && !customElements.get('job-progress')) {
  customElements.define('job-progress', JobProgressElement);
}

declare global {
  interface HTMLElementTagNameMap {
    'job-progress': JobProgressElement;
  }
}

/** Defines `<job-progress>`, where there are elements at all: on a server it does nothing. */
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

import { announcement, barAttributes, fillOf, isIndeterminate, liveLabel, percentLabel } from '../labels.js';
import { type AnyClient, defaultClient } from '../store.js';
import { createTimedJobStore, type TimedJobStore } from '../timed-job.js';
import { emptyJob, type WatchedJob } from '../view.js';
import { STYLE } from './style.js';

/** Without a DOM (on a server that renders the page), the class can still be loaded. */
const Base: typeof HTMLElement = globalThis.HTMLElement ?? class {};

let sheet: CSSStyleSheet | undefined;

/** The style sheet, shared by all elements. Unlike a `<style>`, it is allowed by every Content-Security-Policy. */
function style(): CSSStyleSheet {
  if (!sheet) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
  }
  return sheet;
}

const TEMPLATE =
  '<div class="row"><div part="bar"><div part="fill"></div></div><span part="percent" aria-hidden="true"></span></div>' +
  '<div part="state" aria-hidden="true"></div><div part="message" dir="auto"></div><span role="status"></span>';

/** The elements of the template. */
interface Parts {
  row: HTMLElement;
  bar: HTMLElement;
  fill: HTMLElement;
  percent: HTMLElement;
  state: HTMLElement;
  message: HTMLElement;
  status: HTMLElement;
}

/**
 * `<job-progress src="/v1/jobs/ID/events">`: a live progress bar of a job.
 *
 * Attributes: `src` (a link to the job, or its id), `token` (if no cookie grants access), `label` (the name of the bar
 * for screen readers). The element sets `state` and `status` itself. Events: `job-progress` at each change and
 * `job-end`, both with the job as `detail`.
 */
export class JobProgressElement extends Base {
  static readonly observedAttributes = ['src', 'token', 'label'];

  /** Replaces the client that is created for `src`, for example to use a user's token. */
  client: AnyClient | undefined;
  private store: TimedJobStore | undefined;
  private stop: (() => void) | undefined;
  private parts: Parts | undefined;

  /** The current state of the job. */
  get job(): WatchedJob {
    return this.store?.get() ?? emptyJob('');
  }

  /** Requests the job's cancellation. */
  async cancel(): Promise<void> {
    await this.store?.cancel();
  }

  /** Runs the job again, and continues to show it. */
  async retry(): Promise<void> {
    await this.store?.retry();
  }

  connectedCallback(): void {
    this.parts ??= this.build();
    this.follow();
  }

  disconnectedCallback(): void {
    this.stop?.();
    this.stop = undefined;
  }

  attributeChangedCallback(name: string): void {
    if (!this.isConnected || !this.parts) return;
    if (name === 'label') return this.show();
    this.store = undefined;
    this.follow();
  }

  private follow(): void {
    this.stop?.();
    this.stop = undefined;
    const src = this.getAttribute('src');
    if (!src) return this.show();
    const token = this.getAttribute('token') ?? undefined;
    const store = this.store ?? createTimedJobStore(this.client ?? defaultClient(), src, token);
    this.store = store;
    let ended = false;
    this.stop = store.subscribe(
      () => {
        this.show();
        this.dispatchEvent(new CustomEvent('job-progress', { detail: store.get() }));
        const isEnded = store.get().status === 'ended';
        if (isEnded && !ended) this.dispatchEvent(new CustomEvent('job-end', { detail: store.get() }));
        ended = isEnded;
      },
      () => this.show(),
    );
    this.show();
  }

  private build(): Parts {
    const root = this.shadowRoot ?? this.attachShadow({ mode: 'open' });
    root.adoptedStyleSheets = [style()];
    root.innerHTML = TEMPLATE;
    const part = (selector: string): HTMLElement => {
      const found = root.querySelector<HTMLElement>(selector);
      if (!found) throw new Error(`The template of <job-progress> has no ${selector}`);
      return found;
    };
    return {
      row: part('.row'),
      bar: part('[part=bar]'),
      fill: part('[part=fill]'),
      percent: part('[part=percent]'),
      state: part('[part=state]'),
      message: part('[part=message]'),
      status: part('[role=status]'),
    };
  }

  private show(): void {
    const { job, parts } = this;
    if (!parts) return;
    const label = this.getAttribute('label') ?? 'Progress';
    this.setAttribute('state', job.state);
    this.setAttribute('status', job.status);
    for (const [name, value] of Object.entries(barAttributes(job, label))) {
      if (value === undefined) parts.bar.removeAttribute(name);
      else parts.bar.setAttribute(name, value);
    }
    const indeterminate = isIndeterminate(job);
    parts.row.classList.toggle('waits', indeterminate);
    parts.fill.style.transform = indeterminate ? '' : `scaleX(${fillOf(job)})`;
    setText(parts.percent, percentLabel(job));
    setText(parts.state, liveLabel(job, this.store?.detail()));
    setText(parts.message, job.problem?.message ?? job.error?.message ?? job.progress?.message ?? '');
    setText(parts.status, announcement(job, label));
  }
}

/** Sets a text only if it differs: screen readers speak every text that is set. */
function setText(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

import { createJobTimer } from '../job-timer.js';
import { type AnyClient, createJobStore, defaultClient, type JobStore } from '../store.js';
import { unseenJob, type WatchedJob } from '../view.js';
import {
  announcement,
  barAttributes,
  fillOf,
  isIndeterminate,
  liveWords,
  percentText,
  stalledWords,
} from '../words.js';
import { STYLE } from './style.js';

/** Where there is no DOM (a server that renders the page), the class can still be loaded. */
const Base: typeof HTMLElement = globalThis.HTMLElement ?? class {};

let sheet: CSSStyleSheet | undefined;

/** A style sheet that all elements share; unlike a `<style>`, no Content-Security-Policy forbids it. */
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

/**
 * `<job-progress src="/v1/jobs/ID/events">`: a live bar of a job.
 *
 * Attributes: `src` (a link to the job, or its id), `token` (where no cookie opens it), `label` (what the bar is of, for
 * those who do not see it). It sets `state` and `status` itself. Events: `job-progress` with each change, and `job-end`,
 * both with the job as `detail`.
 */
export class JobProgressElement extends Base {
  static readonly observedAttributes = ['src', 'token', 'label'];

  /** What takes the place of the client that is made for `src`: one with a token of the user's, say. */
  client: AnyClient | undefined;
  private store: JobStore | undefined;
  private timer = createJobTimer();
  /** Shows, while the job runs, that it stands still: that changes without an event. */
  private clock: ReturnType<typeof setInterval> | undefined;
  private stop: (() => void) | undefined;
  private parts: Record<string, HTMLElement> | undefined;

  /** The job as it is now. */
  get job(): WatchedJob {
    return this.store?.get() ?? unseenJob('');
  }

  /** Asks for the job's end. */
  async cancel(): Promise<void> {
    await this.store?.cancel();
  }

  /** Runs the job again, and shows that. */
  async retry(): Promise<void> {
    await this.store?.retry();
  }

  connectedCallback(): void {
    if (!this.parts) this.build();
    this.follow();
  }

  disconnectedCallback(): void {
    this.stop?.();
    this.stop = undefined;
    clearInterval(this.clock);
  }

  attributeChangedCallback(name: string): void {
    if (!this.isConnected || !this.parts) return;
    if (name === 'label') return this.show();
    this.store = undefined;
    this.follow();
  }

  private follow(): void {
    this.stop?.();
    clearInterval(this.clock);
    const src = this.getAttribute('src');
    if (!src) return this.show();
    const token = this.getAttribute('token') ?? undefined;
    if (!this.store) this.timer = createJobTimer();
    const { timer } = this;
    const store = this.store ?? createJobStore(this.client ?? defaultClient(), src, token, timer.event);
    this.store = store;
    let ended = false;
    this.clock = setInterval(() => this.show(), 1000);
    this.stop = store.subscribe(() => {
      timer.status(store.get().status);
      this.show();
      this.dispatchEvent(new CustomEvent('job-progress', { detail: store.get() }));
      const over = store.get().status === 'ended';
      if (over && !ended) this.dispatchEvent(new CustomEvent('job-end', { detail: store.get() }));
      ended = over;
    });
    this.show();
  }

  private build(): void {
    const root = this.shadowRoot ?? this.attachShadow({ mode: 'open' });
    root.adoptedStyleSheets = [style()];
    root.innerHTML = TEMPLATE;
    const part = (selector: string): HTMLElement => root.querySelector<HTMLElement>(selector)!;
    this.parts = {
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
      if (value === undefined) parts.bar!.removeAttribute(name);
      else parts.bar!.setAttribute(name, value);
    }
    const indeterminate = isIndeterminate(job);
    parts.row!.classList.toggle('waits', indeterminate);
    parts.fill!.style.transform = indeterminate ? '' : `scaleX(${fillOf(job)})`;
    say(parts.percent!, percentText(job));
    say(parts.state!, liveWords(job, stalledWords(this.timer.timing())));
    say(parts.message!, job.problem?.message ?? job.error?.message ?? job.progress?.message ?? '');
    say(parts.status!, announcement(job, label));
  }
}

/** Sets a text only where it is another one: screen readers speak what is set. */
function say(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

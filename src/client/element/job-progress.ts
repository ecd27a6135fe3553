import { announcement, barAttributes, liveLabel, percentLabel } from '../labels/job-labels.js';
import { completeLabels } from '../labels/message.js';
import type { Labels } from '../labels/types.js';
import { type AnyClient, defaultClient } from '../store.js';
import { createTimedJobStore, type TimedJobStore } from '../timed-job.js';
import { emptyJob, fillOf, isIndeterminate, type WatchedJob } from '../view.js';
import { type Languages, languageOf, languages } from './languages.js';
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
 * for screen readers), `lang` (defaults to that of the page). The element sets `state` and `status` itself. Events:
 * `job-progress` at each change and `job-end`, both with the job as `detail`.
 */
export class JobProgressElement extends Base {
  static readonly observedAttributes = ['src', 'token', 'label', 'lang'];
  /** The words of each language (BCP 47), used for elements whose `lang` it is. German and Japanese are loaded when needed. */
  static readonly languages: Languages = languages;

  /** Replaces the client that is created for `src`, for example to use a user's token. */
  client: AnyClient | undefined;
  private store: TimedJobStore | undefined;
  private stop: (() => void) | undefined;
  private parts: Parts | undefined;
  private given: Partial<Labels> | undefined;
  /** The words in use; `undefined` until they are chosen and loaded. */
  private words: Labels | undefined;
  private lookups = 0;

  /** Words that replace those of the language. English words replace missing ones. */
  get labels(): Partial<Labels> | undefined {
    return this.given;
  }

  set labels(labels: Partial<Labels> | undefined) {
    this.given = labels;
    if (this.parts) this.chooseWords();
  }

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
    this.takeEarlyLabels();
    // Elements that the page already has are connected while this module is loaded: before the page can add languages.
    queueMicrotask(() => this.chooseWords());
    this.follow();
  }

  disconnectedCallback(): void {
    this.stop?.();
    this.stop = undefined;
  }

  attributeChangedCallback(name: string): void {
    if (!this.isConnected || !this.parts) return;
    if (name === 'label') return this.show();
    if (name === 'lang') return this.chooseWords();
    this.store = undefined;
    this.follow();
  }

  /** Applies labels that were set before the element was defined: they hide the accessor. */
  private takeEarlyLabels(): void {
    if (!Object.hasOwn(this, 'labels')) return;
    const { labels } = this;
    delete (this as { labels?: unknown }).labels;
    this.given = labels;
  }

  /** Chooses the words: the given ones, those of the language, or English. Until they are loaded, there is no text. */
  private chooseWords(): void {
    const lookup = ++this.lookups;
    const use = (labels: Partial<Labels> | undefined): void => {
      if (lookup !== this.lookups) return;
      this.words = completeLabels(labels);
      this.show();
    };
    // In a shadow tree, the language is usually that of the document.
    const page = this.closest('[lang]') ?? this.ownerDocument.documentElement;
    const found = this.given ?? languageOf(page.getAttribute('lang') ?? '');
    if (typeof found !== 'function') return use(found);
    this.words = undefined;
    found().then(use, () => use(undefined));
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
    const { job, parts, words } = this;
    if (!parts) return;
    this.setAttribute('state', job.state);
    this.setAttribute('status', job.status);
    if (!words) return;
    const label = this.getAttribute('label') ?? words.progress;
    for (const [name, value] of Object.entries(barAttributes(job, label, words))) {
      if (value === undefined) parts.bar.removeAttribute(name);
      else parts.bar.setAttribute(name, value);
    }
    const indeterminate = isIndeterminate(job);
    parts.row.classList.toggle('waits', indeterminate);
    parts.fill.style.transform = indeterminate ? '' : `scaleX(${fillOf(job)})`;
    // The page may be in another language, of which there are no words.
    parts.state.lang = parts.status.lang = words.lang;
    setText(parts.percent, percentLabel(job, words));
    setText(parts.state, liveLabel(job, this.store?.timing(), words));
    setText(parts.message, job.problem?.message ?? job.error?.message ?? job.progress?.message ?? '');
    setText(parts.status, announcement(job, label, words));
  }
}

/** Sets a text only if it differs: screen readers speak every text that is set. */
function setText(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

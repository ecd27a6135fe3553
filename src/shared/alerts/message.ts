import type { AlertState, PendingMessage } from './alert.js';

/** The page with a section for each kind of alert. */
const ON_CALL = 'docs/operations/on-call.md';

/**
 * Returns the body of a message: `text` for Slack and compatible services, and the parts for programs.
 * @param publicUrl `PUBLIC_URL`; empty if it is not known
 */
export function alertBody(
  { key, kind, subject, text, since }: AlertState,
  { id, what }: Pick<PendingMessage, 'id' | 'what'>,
  now: number,
  publicUrl: string,
): string {
  const runbook = `${ON_CALL}#${kind}`;
  const dashboard = publicUrl === '' ? undefined : `${publicUrl}/dashboard`;
  const sentence =
    what === 'firing'
      ? `Headway alert: ${text} Since ${time(since)}.`
      : `Headway: resolved after ${span(now - since)}. Now: ${text}`;
  const links = [`What to do: ${runbook}`, ...(dashboard ? [dashboard] : [])];
  return JSON.stringify({
    text: escaped([sentence, ...links].join('\n')),
    alert: {
      id,
      key,
      kind,
      ...(subject ? { subject } : {}),
      state: what,
      text,
      since: time(since),
      at: time(now),
      runbook,
      ...(dashboard ? { dashboard } : {}),
    },
  });
}

const time = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');

/** Returns a duration as text, in whole units. */
export function span(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 2 * 3600) return `${Math.round(seconds / 60)} min`;
  if (seconds < 48 * 3600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} days`;
}

/** Escapes the characters that Slack reads as markup: a kind of job can have any name, such as `<!channel>`. */
const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

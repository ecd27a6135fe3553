import type { Config } from '../process/config.js';
import { serverNow } from '../redis/server-clock.js';
import { signedHeaders } from '../webhooks/signature.js';

/** How long the receiver has to respond, in ms. */
const TIMEOUT_MS = 10_000;

/**
 * Returns the function that sends one message to `ALERT_WEBHOOK_URL`. The operator has chosen the address, so the rules
 * for the webhooks of callers do not apply. Messages are signed like webhooks if there is a secret.
 * @returns a function that throws if the receiver did not accept the message. The error does not contain the URL
 */
export function createSend({
  ALERT_WEBHOOK_URL: text,
  ALERT_WEBHOOK_SECRET,
  WEBHOOK_SECRET,
}: Pick<Config, 'ALERT_WEBHOOK_URL' | 'ALERT_WEBHOOK_SECRET' | 'WEBHOOK_SECRET'>) {
  const secrets = ALERT_WEBHOOK_SECRET.length > 0 ? ALERT_WEBHOOK_SECRET : WEBHOOK_SECRET;
  const url = new URL(text);
  const { username, password } = url;
  // `fetch` refuses a URL with credentials.
  url.username = url.password = '';
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  const authorization = username
    ? { Authorization: `Basic ${Buffer.from(credentials).toString('base64')}` }
    : {};
  return async (id: string, body: string): Promise<void> => {
    const headers = {
      'Content-Type': 'application/json',
      'User-Agent': 'Headway',
      ...authorization,
      ...(secrets.length > 0 ? signedHeaders(id, body, secrets, serverNow()) : {}),
    };
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const response = await fetch(url, { method: 'POST', headers, body, redirect: 'manual', signal }).catch(
      (error: Error & { cause?: { code?: string } }) => {
        throw new Error(`could not reach the receiver of alerts: ${error.cause?.code ?? error.name}`);
      },
    );
    await response.body?.cancel();
    if (!response.ok) throw new Error(`the receiver of alerts answered ${response.status}`);
  };
}

import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';
import type { Random } from '../../support/random.js';
import type { Finding } from './records.js';

/** A call of a webhook, and whether the receiver accepted it. */
export interface HookCall {
  headers: Record<string, string>;
  body: string;
  accepted: boolean;
}

/** A receiver of webhooks that refuses some calls. */
export interface Hooks {
  /** The address of a job's webhook. */
  url(label: string): string;
  /** The secret of every webhook. */
  secret: string;
  of(label: string): HookCall[];
  forget(label: string): void;
  stop(): void;
}

const REFUSED = 0.2;

export async function startHooks(random: Random): Promise<Hooks> {
  const calls = new Map<string, HookCall[]>();
  const server = createServer((req, res) => {
    let body = '';
    req.setEncoding('utf8').on('data', (piece: string) => (body += piece));
    req.on('end', () => {
      const label = decodeURIComponent(req.url!.slice(1));
      const accepted = !random.chance(REFUSED);
      const headers = req.headers as Record<string, string>;
      calls.set(label, [...(calls.get(label) ?? []), { headers, body, accepted }]);
      res.writeHead(accepted ? 204 : 503).end();
    });
    req.on('error', () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: (label) => `http://127.0.0.1:${port}/${encodeURIComponent(label)}`,
    secret: `whsec_${randomBytes(32).toString('base64')}`,
    of: (label) => calls.get(label) ?? [],
    forget: (label) => void calls.delete(label),
    stop() {
      server.close();
      server.closeAllConnections();
    },
  };
}

/**
 * Checks the calls of a job's webhook: the receiver accepted the end of the job, every call is signed and shows that end,
 * and all have one id, so that a receiver can recognize a repetition.
 */
export function checkHook(
  id: string,
  state: string,
  calls: readonly HookCall[],
  secret: string,
): Omit<Finding, 'at'>[] {
  const findings: Omit<Finding, 'at'>[] = [];
  const find = (kind: string, text: string): void => void findings.push({ kind, subject: id, text });
  if (!calls.some(({ accepted }) => accepted)) {
    find('no-webhook', `the job is ${state}, but its webhook was not delivered (${calls.length} calls)`);
  }
  const ids = new Set(calls.map(({ headers }) => headers['webhook-id']));
  if (ids.size > 1) find('doubled-webhook', `one end was reported with ${ids.size} ids`);
  for (const { headers, body } of calls) {
    try {
      const { type, data } = new Webhook(secret).verify(body, headers) as {
        type: string;
        data: { id: string };
      };
      if (type !== `job.${state}` || data.id !== id) {
        find('wrong-webhook', `the job is ${state}, but its webhook says ${type} of ${data.id}`);
      }
    } catch (error) {
      find('forged-webhook', `a call could not be verified: ${error}`);
    }
  }
  return findings;
}

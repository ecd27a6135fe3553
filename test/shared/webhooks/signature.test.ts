import { randomBytes } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { describe, expect, it } from 'vitest';
import { isWebhookSecret } from '../../../src/shared/jobs/webhook-option.js';
import { signedHeaders } from '../../../src/shared/webhooks/signature.js';

const secretOf = (bytes: number): string => `whsec_${randomBytes(bytes).toString('base64')}`;

describe('the signature of a webhook', () => {
  it('matches the example of Standard Webhooks', () => {
    const headers = signedHeaders(
      'msg_p5jXN8AQM9LWM0D4loKWxJek',
      '{"test": 2432232314}',
      ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'],
      1614265330_999,
    );
    expect(headers).toEqual({
      'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    });
  });

  it.each([24, 25, 26, 32, 64])(
    'is accepted by an independent verifier with a secret of %i bytes',
    (bytes) => {
      const secret = secretOf(bytes);
      expect(isWebhookSecret(secret)).toBe(true);
      const body = JSON.stringify({ text: 'ü\u2028' });
      const headers = signedHeaders('msg_1', body, [secret], Date.now());
      expect(new Webhook(secret).verify(body, headers)).toEqual({ text: 'ü\u2028' });
      expect(() => new Webhook(secret).verify(`${body} `, headers)).toThrow();
      expect(() => new Webhook(secretOf(bytes)).verify(body, headers)).toThrow();
    },
  );

  it('is made with each secret, so that receivers with either one accept the call', () => {
    const [next, old] = [secretOf(32), secretOf(32)];
    const headers = signedHeaders('msg_1', '{"a":1}', [next, old], Date.now());
    expect(headers['webhook-signature']).toMatch(/^v1,\S+ v1,\S+$/);
    for (const secret of [next, old])
      expect(new Webhook(secret).verify('{"a":1}', headers)).toEqual({ a: 1 });
    expect(() => new Webhook(secretOf(32)).verify('{"a":1}', headers)).toThrow();
  });

  it.each([
    '',
    'whsec_',
    'secret',
    secretOf(23),
    secretOf(65),
    `${secretOf(32)}\n`,
    secretOf(32).slice(6),
    'whsec_$$$$',
  ])('rejects %j as a secret', (text) => {
    expect(isWebhookSecret(text)).toBe(false);
  });
});

/** What a secret has to be, for people. */
export const SECRET_FORM =
  'must be whsec_ and 24 to 64 random bytes in base64, e.g. echo "whsec_$(openssl rand -base64 32)"';

/** Whether a text is a secret as Standard Webhooks has them (1.0.0, "Signature scheme"). */
export function isWebhookSecret(text: string): boolean {
  if (!/^whsec_[A-Za-z0-9+/]+={0,2}$/.test(text)) return false;
  const { length } = secretKey(text);
  return length >= 24 && length <= 64;
}

/** The key in a secret. */
export const secretKey = (secret: string): Buffer => Buffer.from(secret.slice('whsec_'.length), 'base64');

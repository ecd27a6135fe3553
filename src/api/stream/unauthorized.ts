const unauthorized = (reason: 'expired' | 'revoked'): Buffer =>
  Buffer.from(`event: unauthorized\ndata: {"reason":"${reason}"}\n\n`);

/** The last event of a viewer whose token or key has expired. */
export const EXPIRED = unauthorized('expired');
/** The last event of a viewer whose token or key was revoked. */
export const REVOKED = unauthorized('revoked');

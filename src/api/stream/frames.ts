/** A comment without content: keeps the connection open, and shows a client that its stream is live. */
export const HEARTBEAT = Buffer.from(': \n\n');
/** Replaces the heartbeat while Redis does not answer, so that a client knows that its stream is not live. */
export const WAITING = Buffer.from(': waiting\n\n');

const unauthorized = (reason: 'expired' | 'revoked'): Buffer =>
  Buffer.from(`event: unauthorized\ndata: {"reason":"${reason}"}\n\n`);

/** The last event of a viewer whose token or API key has expired. */
export const EXPIRED = unauthorized('expired');
/** The last event of a viewer whose token or API key was revoked. */
export const REVOKED = unauthorized('revoked');

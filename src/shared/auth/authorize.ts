/** Who is asked about, as far as it is known. */
export interface Asker {
  /** Whose jobs somebody's are: `user:<sub>`, `tenant:<tenant>/<sub>`, or `visitor:<digest>` of a cookie. */
  id: string;
  sub?: string | undefined;
  tenant?: string | undefined;
  /** All that the token says (RFC 7519, section 4). */
  claims?: Record<string, unknown> | undefined;
}

/**
 * What somebody wants to do: follow a channel, publish to one, know how many follow it, or (of a job) cancel it or run
 * it again.
 */
export type Action = 'subscribe' | 'publish' | 'presence' | 'control';

/**
 * Code that decides what rules cannot say. It is asked of everybody but admins, before a stream begins and before each
 * event is published. The channel of a job is `job:<id>`: it is asked of a job when its token was not sent and somebody
 * else started it.
 * @param principal `undefined` for somebody of whom nothing is known
 * @returns `true` lets it pass, `false` does not; anything else leaves it to tokens and rules
 */
export type Authorize = (
  principal: Asker | undefined,
  action: Action,
  channel: string,
) => boolean | undefined | Promise<boolean | undefined>;

/** What is known about the caller. */
export interface Asker {
  /** The owner of the caller's jobs: `user:<sub>`, `tenant:<tenant>/<sub>`, or `visitor:<digest of a cookie>`. */
  id: string;
  sub?: string | undefined;
  tenant?: string | undefined;
  /** All claims of the token (RFC 7519, section 4). */
  claims?: Record<string, unknown> | undefined;
}

/**
 * An action on a channel: subscribe, publish, or read the number of subscribers (`presence`). For the channel of a job,
 * `control` means cancelling or retrying the job.
 */
export type Action = 'subscribe' | 'publish' | 'presence' | 'control';

/**
 * Decides what channel rules cannot express. The hook is called before a stream begins and before each event is published,
 * except for admins. The channel of a job is `job:<id>`: for a job, the hook is called if the request has no token for the
 * job and the caller did not start it.
 * @param principal `undefined` for an unidentified caller
 * @returns `true` to allow, `false` to deny, and anything else to let tokens and rules decide
 */
export type Authorize = (
  principal: Asker | undefined,
  action: Action,
  channel: string,
) => boolean | undefined | Promise<boolean | undefined>;

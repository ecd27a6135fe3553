/** A caller that waits for its part of a call that several share. */
export interface Waiting<T> {
  resolve: (reply: T) => void;
  reject: (error: unknown) => void;
}

/**
 * Gives each caller its reply of a call that they share. An error among the replies rejects for that caller, an error of the
 * call for all of them.
 * @param call makes the call, and returns the replies in the order of the callers
 */
export async function passReplies<T>(
  callers: ReadonlyArray<Waiting<T>>,
  call: () => Promise<Array<T | Error>>,
): Promise<void> {
  try {
    const replies = await call();
    for (const [i, { resolve, reject }] of callers.entries()) {
      const reply = replies[i] as T | Error;
      if (reply instanceof Error) reject(reply);
      else resolve(reply);
    }
  } catch (error) {
    for (const { reject } of callers) reject(error);
  }
}

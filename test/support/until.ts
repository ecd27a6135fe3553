/**
 * Waits until a condition holds, and returns its value.
 * @param what the condition in words, for the error
 * @throws Error that names the condition if it does not hold in time
 */
export async function until<T>(
  what: string | (() => string),
  condition: () => T | Promise<T>,
  timeoutMs = 20_000,
): Promise<NonNullable<T>> {
  const begun = Date.now();
  for (;;) {
    const value = await condition();
    if (value) return value;
    const waited = Date.now() - begun;
    if (waited > timeoutMs)
      throw new Error(`not in ${timeoutMs} ms: ${typeof what === 'string' ? what : what()}`);
    // A condition that asks Redis or the API costs both of them CPU, which the tests beside this one need.
    await new Promise((resolve) => setTimeout(resolve, Math.min(10 + waited / 20, 100)));
  }
}

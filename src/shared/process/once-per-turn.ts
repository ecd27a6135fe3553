/**
 * Collects the values of all calls in one turn of the event loop.
 * @param handle called with them at the end of the turn
 */
export function oncePerTurn<T>(handle: (values: T[]) => void): (value: T) => void {
  let values: T[] = [];
  return (value) => {
    if (values.push(value) > 1) return;
    setImmediate(() => {
      const collected = values;
      values = [];
      handle(collected);
    });
  };
}

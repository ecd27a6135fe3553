/** Whether a value can be the share of something in a bar: any positive number. */
export const isWeight = (value: unknown): value is number =>
  typeof value === 'number' && value > 0 && value <= Number.MAX_SAFE_INTEGER;

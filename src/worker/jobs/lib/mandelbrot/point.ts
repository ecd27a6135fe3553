/** Beyond this radius a point escapes. A larger radius than the necessary 2 makes colours smooth. */
const BAILOUT_SQUARED = 256;

/**
 * Returns the number of iterations of z² + c after which a point escapes, with a fraction for smooth colours.
 * @returns `undefined` for a point that has not escaped after `iterations`: it belongs to the set
 */
export function escapeTime(real: number, imaginary: number, iterations: number): number | undefined {
  let x = 0;
  let y = 0;
  let xx = 0;
  let yy = 0;
  for (let i = 0; i < iterations; i++) {
    y = 2 * x * y + imaginary;
    x = xx - yy + real;
    xx = x * x;
    yy = y * y;
    if (xx + yy > BAILOUT_SQUARED) return i + 1 - Math.log2(Math.log2(xx + yy) / 2);
  }
  return undefined;
}

/** Writes the colour of an escape time as three bytes at `at`. Points of the set stay black. */
export function colour(time: number | undefined, pixels: Buffer, at: number): void {
  if (time === undefined) return;
  const angle = 0.35 * Math.sqrt(Math.max(time, 0)) * Math.PI;
  pixels[at] = 140 - 100 * Math.cos(angle + 0.4);
  pixels[at + 1] = 130 - 95 * Math.cos(angle);
  pixels[at + 2] = 150 - 80 * Math.cos(angle - 0.9);
}

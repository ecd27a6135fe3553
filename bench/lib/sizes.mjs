/** The share of the sizes and times of a benchmark that is run. `SCALE=0.1 npm run bench` tries it out. */
export const SCALE = Number(process.env.SCALE || 1);

export const scaled = (size) => Math.max(1, Math.round(size * SCALE));

// Draws curves as SVG: a logarithmic axis across, a linear one upwards.

const WIDTH = 640;
const HEIGHT = 320;
const LEFT = 70;
const RIGHT = 150;
const TOP = 44;
const BOTTOM = 52;
const COLOURS = ['#8a94a6', '#2563eb', '#d97706'];

/**
 * @param options.title what is drawn
 * @param options.across the name of the axis
 * @param options.unit of the values
 * @param options.xs the points across, ascending
 * @param options.curves {name, values} of each curve, a value for each point
 */
export function drawCurves({ title, across, unit, xs, curves }) {
  const top = niceAbove(Math.max(...curves.flatMap(({ values }) => values)));
  // 0 has no logarithm: it is drawn a decade before the first point.
  const log = (x) => Math.log10(x === 0 ? xs[1] / 10 : x);
  const [first, last] = [log(xs[0]), log(xs.at(-1))];
  const atX = (x) => LEFT + ((log(x) - first) / (last - first)) * (WIDTH - LEFT - RIGHT);
  const atY = (y) => HEIGHT - BOTTOM - (y / top) * (HEIGHT - TOP - BOTTOM);
  const lines = [0, 0.25, 0.5, 0.75, 1].map((share) => {
    const y = atY(share * top);
    return `<path d="M${LEFT} ${y.toFixed(1)}H${WIDTH - RIGHT}" stroke="#e5e7eb"/>${text(LEFT - 8, y + 4, shown(share * top), 'end')}`;
  });
  const marks = xs.map((x) => text(atX(x), HEIGHT - BOTTOM + 18, x.toLocaleString('en-US')));
  const drawn = curves.map(({ name, values }, i) => {
    const points = values.map((value, n) => [atX(xs[n]).toFixed(1), atY(value).toFixed(1)]);
    const [x, y] = points.at(-1);
    const label = `${name}, ${shown(values.at(-1))}`;
    const dots = points.map(([cx, cy]) => `<circle cx="${cx}" cy="${cy}" r="3" fill="${COLOURS[i]}"/>`);
    return [
      `<polyline points="${points.map((point) => point.join(',')).join(' ')}" fill="none" stroke="${COLOURS[i]}" stroke-width="2"/>`,
      ...dots,
      // A curve that ends early has others beside its end: its name is above.
      values.length < xs.length
        ? text(Number(x) + 4, Number(y) - 10, label, 'end', COLOURS[i])
        : text(Number(x) + 10, Number(y) + 4, label, 'start', COLOURS[i]),
    ].join('');
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<title>${title}, ${unit}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    text(LEFT, 24, `${title}, ${unit}`, 'start', '#111827'),
    ...lines,
    ...marks,
    text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, across),
    ...drawn,
    '</svg>',
    '',
  ].join('\n');
}

const text = (x, y, words, anchor = 'middle', fill = '#4b5563') =>
  `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}" fill="${fill}">${words}</text>`;

const shown = (value) => value.toLocaleString('en-US', { maximumFractionDigits: value < 100 ? 1 : 0 });

/** Returns 1, 2, 4 or 8 times a power of ten. */
function niceAbove(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 8, 10].find((factor) => factor * power >= value) * power;
}

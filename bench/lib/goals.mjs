// What a benchmark returns: rows that name a figure, and the goals that some of them have.

/**
 * A figure of Headway next to the peer's.
 * @param figure.peer the peer's, if it has one
 * @param figure.atMost the limit, of the ratio to the peer; without a peer, or with `of: 'value'`, of Headway's figure
 * @param figure.atLeast the same, for figures that should be high
 */
export function row(
  what,
  { unit = '', peer, headway, of = peer === undefined ? 'value' : 'ratio', atMost, atLeast },
) {
  const ratio = peer === undefined ? undefined : headway / peer;
  const measured = of === 'ratio' ? ratio : headway;
  const goal = atMost ?? atLeast;
  return {
    what,
    peer: peer === undefined ? '' : withUnit(peer, unit),
    headway: withUnit(headway, unit),
    ratio: ratio === undefined ? '' : ratio < 0.1 ? Number(ratio.toPrecision(2)) : ratio.toFixed(2),
    goal:
      goal === undefined
        ? ''
        : `${atMost === undefined ? '≥' : '≤'} ${of === 'ratio' ? `${goal} ×` : withUnit(goal, unit)}`,
    met: goal === undefined ? undefined : atMost === undefined ? measured >= atLeast : measured <= atMost,
  };
}

/** The cells of a row. */
export const cellsOf = ({ what, peer, headway, ratio, goal, met }) => [
  what,
  peer,
  headway,
  ratio === '' ? '' : `${ratio} ×`,
  goal,
  met === undefined ? '' : met ? 'met' : 'missed',
];

export const COLUMNS = ['what', 'peer', 'Headway', 'ratio', 'goal', ''];

const withUnit = (number, unit) => `${rounded(number)}${unit === '' ? '' : ` ${unit}`}`;

function rounded(number) {
  const digits = Math.abs(number) >= 100 ? 0 : Math.abs(number) >= 10 ? 1 : 2;
  return number.toLocaleString('en-US', {
    maximumFractionDigits: number !== 0 && Math.abs(number) < 0.1 ? 4 : digits,
  });
}

/** Returns a run rate, rounded to two decimals. */
const rate = (runs, balls) => (balls === 0 ? 0 : Number(((6 * runs) / balls).toFixed(2)));
const oversOf = (balls) => `${Math.floor(balls / 6)}.${balls % 6}`;

/** Keeps the score of an innings, ball by ball. */
export function createScore({ match, ground, batting, bowling, overs }) {
  const batters = new Map();
  const bowlers = new Map();
  let total = 0;
  let wickets = 0;
  let legal = 0;
  let extras = 0;
  let number = 0;
  const batter = (name) => {
    if (!batters.has(name)) batters.set(name, { name, runs: 0, balls: 0, fours: 0, sixes: 0, out: '' });
    return batters.get(name);
  };
  const bowler = (name) => {
    if (!bowlers.has(name)) bowlers.set(name, { name, balls: 0, runs: 0, wickets: 0 });
    return bowlers.get(name);
  };
  const figures = ({ name, balls, runs, wickets }) => ({ name, overs: oversOf(balls), runs, wickets });

  return {
    /** Counts one ball. @returns the events to publish */
    count(ball) {
      const extra = ball.extra?.runs ?? 0;
      const striker = batter(ball.striker);
      const nonStriker = batter(ball.nonStriker);
      const by = bowler(ball.bowler);
      const counts = ball.extra?.kind !== 'wide' && ball.extra?.kind !== 'no ball';
      number++;
      total += ball.runs + extra;
      extras += extra;
      striker.runs += ball.runs;
      if (ball.extra?.kind !== 'wide') striker.balls++;
      if (ball.runs === 4) striker.fours++;
      if (ball.runs === 6) striker.sixes++;
      by.runs += ball.runs + (ball.extra?.kind === 'leg bye' ? 0 : extra);
      if (counts) {
        by.balls++;
        legal++;
      }
      if (ball.wicket) {
        wickets++;
        by.wickets++;
        striker.out = howOut(ball);
      }
      const overEnds = counts && legal % 6 === 0;
      const ended = wickets === 10 || legal === 6 * overs;
      const score = {
        match,
        ground,
        batting,
        bowling,
        runs: total,
        wickets,
        overs: oversOf(legal),
        runRate: rate(total, legal),
        striker: { name: striker.name, runs: striker.runs, balls: striker.balls },
        nonStriker: { name: nonStriker.name, runs: nonStriker.runs, balls: nonStriker.balls },
        bowler: figures(by),
        ended,
      };
      const events = [
        { event: 'score', kind: 'state', data: score },
        { event: 'ball', data: { number, over: ball.over, symbol: symbolOf(ball), text: ball.text } },
      ];
      if (overEnds || ball.wicket || ended) {
        const card = {
          batters: [...batters.values()],
          bowlers: [...bowlers.values()].map(figures),
          extras,
          total,
        };
        events.push({ event: 'scorecard', kind: 'state', data: card });
      }
      return events;
    },
  };
}

/** Returns the scorer's symbol: a dot, the runs, W, 1wd, 1nb, 1lb. */
export function symbolOf({ runs, extra, wicket }) {
  if (wicket) return 'W';
  if (extra) return `${runs + extra.runs}${{ wide: 'wd', 'no ball': 'nb', 'leg bye': 'lb' }[extra.kind]}`;
  return runs === 0 ? '•' : String(runs);
}

function howOut({ wicket, bowler }) {
  const { kind, fielder } = wicket;
  if (kind === 'caught') return `c ${fielder} b ${bowler}`;
  if (kind === 'stumped') return `st ${fielder} b ${bowler}`;
  return `${kind === 'lbw' ? 'lbw ' : ''}b ${bowler}`;
}

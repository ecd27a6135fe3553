import { checkIds } from './check-lifecycle.js';
import { type CheckOptions, checkRefusals } from './checker.js';
import type { ChannelRecord, Finding, Publication, ViewerRecord } from './records.js';
import { segmentsOf } from './segments.js';
import { lossWindows, mayReset, overlaps } from './windows.js';

/**
 * Compares the events that the viewers of a channel got with the published events. Each event has a number, and its
 * `run` is `channel`.
 */
export function checkChannel(channel: ChannelRecord, options: CheckOptions): Finding[] {
  const windows = lossWindows(options.faults);
  const mayBeLost = ({ at, until = Number.POSITIVE_INFINITY }: Publication): boolean =>
    overlaps(at, until, windows);
  const final = channel.viewers.find(({ name }) => name === options.finalViewer);
  const kept = final && new Set(numbers(segmentsOf(final.seen).at(-1)!));
  return channel.viewers.flatMap((viewer) => {
    const findings: Finding[] = [];
    const find = (kind: string, text: string, at: number): void =>
      void findings.push({ kind, subject: channel.name, viewer: viewer.name, text, at });
    checkRefusals(viewer, undefined, find);
    const segments = segmentsOf(viewer.seen);
    for (const { event, at } of viewer.seen) {
      if (event === 'reset' && !mayReset(at, options.faults))
        find('needless-reset', 'reset, and Redis lost nothing', at);
    }
    for (const segment of segments) {
      checkIds(segment, (at) => mayReset(at, options.faults), find);
      checkOnce(segment, channel, find);
    }
    const got = new Set(numbers(segments.at(-1)!));
    // After a reset, a viewer gets the current log. Events before the reset no longer count.
    const lacking = channel.published.filter(({ n, state }) => !state && !got.has(n));
    const unexcused = lacking.filter((event) => !mayBeLost(event) || kept?.has(event.n));
    if (unexcused.length > 0) {
      const shown = unexcused.slice(0, 5).map(({ n }) => n);
      find('lost', `${unexcused.length} published events (${shown}) never came`, unexcused[0]!.at);
    }
    if (kept && windows.length > 0 && viewer !== final) {
      const more = [...got].filter((n) => !kept.has(n));
      if (more.length > 0) {
        const at = channel.published.find(({ n }) => n === more[0])?.at ?? 0;
        find('kept-after-loss', `${more.length} events that Redis lost were not withdrawn by a reset`, at);
      }
    }
    checkState(channel, viewer, find);
    return findings;
  });

  function checkState({ published }: ChannelRecord, { seen }: ViewerRecord, find: Find): void {
    const last = published.findLast(({ state }) => state);
    const shown = segmentsOf(seen)
      .at(-1)!
      .findLast(({ progress }) => progress)?.progress;
    if (last && shown?.n !== last.n && !mayBeLost(last)) {
      find('stale-state', `the state is ${shown?.n ?? 'unknown'}, ${last.n} was published`, last.at);
    }
  }
}

type Find = (kind: string, text: string, at: number) => void;

function checkOnce(segment: ViewerRecord['seen'], { published }: ChannelRecord, find: Find): void {
  let highest = 0;
  let state = 0;
  const seen = new Set<number>();
  const twice: number[] = [];
  const disordered: number[] = [];
  let at = 0;
  for (const event of segment) {
    for (const { n, whole } of event.items ?? []) {
      if (!whole) find('damaged', `event ${n} came truncated`, event.at);
      if (seen.has(n)) twice.push(n);
      else if (n < highest) disordered.push(n);
      if (n <= highest) at ||= published[n - 1]?.until ?? event.at;
      seen.add(n);
      highest = Math.max(highest, n);
    }
    if (event.progress) {
      if (event.progress.n < state)
        find('backward', `state ${event.progress.n} came after ${state}`, event.at);
      state = Math.max(state, event.progress.n);
    }
  }
  if (twice.length > 0)
    find('doubled', `${twice.length} published events (${twice.slice(0, 5)}) came twice`, at);
  if (disordered.length > 0) {
    find(
      'reordered',
      `${disordered.length} published events (${disordered.slice(0, 5)}) came after a later one`,
      at,
    );
  }
}

const numbers = (segment: ViewerRecord['seen']): number[] =>
  segment.flatMap(({ items = [] }) => items.map(({ n }) => n));

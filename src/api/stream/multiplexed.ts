import { frameId } from '../../shared/channel/frame.js';
import type { ChannelHub } from '../../shared/channel/hub.js';
import {
  BEHIND,
  CLOSED,
  LIVE,
  type Sink,
  STALLED,
  type Subscription,
  type SubscriptionState,
  writeTo,
} from '../../shared/channel/subscription.js';

/** One channel of a bundle, and where its viewer stands. */
export interface MultiplexedChannel {
  name: string;
  /** A newcomer does not get the log events up to this offset. */
  after?: number | undefined;
  /** It has ended, and its viewer has seen the end. */
  over?: boolean;
  /** Its viewer stays after the end: a job may run again. */
  stays?: boolean;
}

/** More channels than that make the id of each event too long. */
export const MAX_CHANNELS = 100;

/** What a `Last-Event-ID` says of each of so many channels; empty: nothing. One of another set of channels says nothing of these. */
export function positionsOf(lastEventId: string | undefined, channels: number): string[] {
  // The id of one channel may have a comma of its publisher's.
  if (channels === 1) return [lastEventId ?? ''];
  const positions = lastEventId?.split(',') ?? [];
  return positions.length === channels ? positions : Array<string>(channels).fill('');
}

const LF = 0x0a;

/**
 * Several channels over one connection. Each is a subscription like any other; what is added is one id for all: the
 * ids of the last event of each channel, in the order of the channels, with commas between. Every frame gets it in
 * place of its own, so that whatever frame a viewer saw last, its `Last-Event-ID` resumes all channels.
 */
export class MultiplexedStream {
  beatDue = 0;
  private readonly members: Subscription[] = [];
  private readonly positions: string[];
  private open: number;
  /** The member that is the first to write when the sink takes frames again: another one each time. */
  private turn = 0;

  constructor(
    hub: ChannelHub,
    channels: MultiplexedChannel[],
    private readonly sink: Sink,
    lastEventId: string | undefined,
  ) {
    this.positions = positionsOf(lastEventId, channels.length);
    this.open = channels.filter(({ over }) => !over).length;
    for (const [index, { name, after, over, stays }] of channels.entries()) {
      if (over) continue;
      const member: Sink = { write: (frame) => this.write(index, frame), end: () => this.finished() };
      this.members.push(hub.subscribe(name, member, { lastEventId: this.positions[index], after, stays }));
    }
  }

  get state(): SubscriptionState {
    if (this.members.some(({ state }) => state === STALLED)) return STALLED;
    if (this.members.every(({ state }) => state === CLOSED)) return CLOSED;
    return this.members.some(({ state }) => state === BEHIND) ? BEHIND : LIVE;
  }

  /** When the first of its channels was held back, or the last one ended. */
  get stalledAt(): number {
    const { state } = this;
    const times = this.members.filter((member) => member.state === state).map(({ stalledAt }) => stalledAt);
    return state === CLOSED ? Math.max(0, ...times) : Math.min(...times);
  }

  hold(more: boolean): void {
    for (const member of this.members) member.hold(more);
  }

  resume(): void {
    const first = this.turn++ % this.members.length;
    const members = [...this.members.slice(first), ...this.members.slice(0, first)];
    for (const [index, member] of members.entries()) {
      member.resume();
      // The sink is full again: the others wait for the next time.
      if (member.state === STALLED && index < members.length - 1) return;
    }
  }

  close(): void {
    for (const member of this.members) member.close();
  }

  private write(index: number, frame: Buffer): boolean {
    // `reset` has no id of its own: here it has one that says whose it is, by a place that is empty.
    const reset = frame.toString('latin1', 0, 4) !== 'id: ';
    const { epoch, offset } = reset ? { epoch: '', offset: 0 } : frameId(frame);
    this.positions[index] = reset ? '' : `${epoch}-${offset}`;
    this.sink.write(Buffer.from(`id: ${this.positions.join(',')}\n`, 'latin1'));
    const more = writeTo(this.sink, reset ? frame : frame.subarray(frame.indexOf(LF) + 1));
    // They share one socket: a full one holds back all of them.
    if (!more) this.hold(false);
    return more;
  }

  private finished(): void {
    if (--this.open === 0) this.sink.end();
  }
}

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
} from '../../shared/channel/subscription.js';
import { streamBytes } from '../../shared/metrics/stream-metrics.js';

/** One channel of a stream, and the viewer's position in it. */
export interface MultiplexedChannel {
  name: string;
  /** New viewers only: the log events up to this offset are not sent. */
  after?: number | undefined;
  /** Whether the channel has ended and the viewer has seen the end. */
  over?: boolean;
  /** Whether the stream stays open after the end of the channel, because a job may run again. */
  stays?: boolean;
}

/** Maximum number of channels in a stream. More would make the event ids too long. */
export const MAX_CHANNELS = 100;

/**
 * Returns the position in each channel from a `Last-Event-ID`; empty for none. The id of a stream with a different number
 * of channels is ignored.
 */
export function positionsOf(lastEventId: string | undefined, channels: number): string[] {
  // In the stream of a single channel, an id may contain a comma from its publisher.
  if (channels === 1) return [lastEventId ?? ''];
  const positions = lastEventId?.split(',') ?? [];
  return positions.length === channels ? positions : Array<string>(channels).fill('');
}

const LF = 0x0a;

/**
 * Several channels over one connection. Each channel has its own subscription. The id of every event is replaced by the
 * comma-separated ids of the last events of all channels, in the order of the channels. A viewer's `Last-Event-ID`
 * therefore resumes all channels, whichever event it saw last.
 */
export class MultiplexedStream {
  beatDue = 0;
  private readonly members: Subscription[] = [];
  /** Which channel each member is. */
  private readonly indexes: number[] = [];
  private readonly positions: string[];
  private open: number;
  /** Rotates which member writes first when the sink takes frames again. */
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
      const member: Sink = {
        write: (frame) => this.write(index, frame),
        end: () => this.finished(),
        caughtUp: () => this.sink.caughtUp?.(),
      };
      this.indexes.push(index);
      this.members.push(hub.subscribe(name, member, { lastEventId: this.positions[index], after, stays }));
    }
  }

  get state(): SubscriptionState {
    if (this.members.some(({ state }) => state === STALLED)) return STALLED;
    if (this.members.every(({ state }) => state === CLOSED)) return CLOSED;
    return this.members.some(({ state }) => state === BEHIND) ? BEHIND : LIVE;
  }

  /** When the first member stalled, or when the last member ended. */
  get stalledAt(): number {
    const { state } = this;
    const times = this.members.filter((member) => member.state === state).map(({ stalledAt }) => stalledAt);
    return state === CLOSED ? Math.max(0, ...times) : Math.min(...times);
  }

  /** How many events were written. */
  get events(): number {
    return this.members.reduce((sum, { events }) => sum + events, 0);
  }

  /** The positions in all channels: the id from which the viewer can continue. */
  get position(): string {
    const positions = [...this.positions];
    for (const [i, member] of this.members.entries()) {
      const index = this.indexes[i] ?? i;
      positions[index] = member.position || (positions[index] ?? '');
    }
    return positions.join();
  }

  noteBackpressure(more: boolean): void {
    for (const member of this.members) member.noteBackpressure(more);
  }

  resume(): void {
    const first = this.turn++ % this.members.length;
    const members = [...this.members.slice(first), ...this.members.slice(0, first)];
    for (const [index, member] of members.entries()) {
      member.resume();
      // The sink is full again: the other members wait for the next drain.
      if (member.state === STALLED && index < members.length - 1) return;
    }
  }

  close(): void {
    for (const member of this.members) member.close();
  }

  private write(index: number, frame: Buffer): boolean {
    // `reset` has no id. Here it gets one in which the position of its channel is empty, to identify the channel.
    const reset = frame.toString('latin1', 0, 4) !== 'id: ';
    const { epoch, offset } = reset ? { epoch: '', offset: 0 } : frameId(frame);
    this.positions[index] = reset ? '' : `${epoch}-${offset}`;
    const id = Buffer.from(`id: ${this.positions.join(',')}\n`, 'latin1');
    const rest = reset ? frame : frame.subarray(frame.indexOf(LF) + 1);
    // The caller has counted the bytes of the frame with its own id.
    streamBytes.only.value += id.length + rest.length - frame.length;
    this.sink.write(id);
    const more = this.sink.write(rest) || this.sink.writableLength === 0;
    // All members share the socket: when it is full, all of them stall.
    if (!more) this.noteBackpressure(false);
    return more;
  }

  private finished(): void {
    if (--this.open === 0) this.sink.end();
  }
}

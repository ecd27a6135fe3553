import { HeadwayError } from '../errors.js';
import type { Config } from '../process/config.js';

/** What a channel may take in Redis. */
export interface ChannelLimits {
  /** Maximum number of bytes in the log. Beyond it, the oldest events are removed. */
  logBytes: number;
  /** Maximum number of slots, and of bytes in all of them. Events beyond them are refused. */
  slots: number;
  slotBytes: number;
}

/** Returns the limits of the channels that applications publish to. */
export const channelLimits = (
  config: Pick<Config, 'CHANNEL_LOG_MAX_BYTES' | 'CHANNEL_MAX_SLOTS' | 'CHANNEL_SLOTS_MAX_BYTES'>,
): ChannelLimits => ({
  logBytes: config.CHANNEL_LOG_MAX_BYTES,
  slots: config.CHANNEL_MAX_SLOTS,
  slotBytes: config.CHANNEL_SLOTS_MAX_BYTES,
});

/**
 * Creates the error for `state` events that a channel has no room for. Earlier slots are never removed in silence: their
 * viewers could not know.
 */
export function channelFull(channel: string, of: 'slots' | 'slotBytes', limits: ChannelLimits): HeadwayError {
  const has =
    of === 'slots'
      ? `the states of ${limits.slots} keys (CHANNEL_MAX_SLOTS). Use fewer keys`
      : `${limits.slotBytes} bytes of states (CHANNEL_SLOTS_MAX_BYTES). Send less in each`;
  return new HeadwayError(
    'channel-full',
    `The channel ${channel} can hold ${has}, or use another channel. Earlier events of a batch may have been published.`,
    undefined,
    { members: { max: limits[of] } },
  );
}

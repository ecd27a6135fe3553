import { Command } from 'ioredis';

/** The number of hash slots of a Redis Cluster. */
export const SLOTS = 16_384;

/** Returns the hash slot of a key. */
export const slotOf = (key: string): number => new Command('get', [key]).getSlot() ?? 0;

import { randomBytes } from 'node:crypto';
import { mkdir, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { HeadwayError } from '../errors.js';
import { type Claim, openLedger } from './ledger.js';

export interface DiskRoomOptions {
  /** The folder of the files. */
  root: string;
  /** Bytes of the disk that stay free. */
  minFreeBytes: number;
  /** Inodes of the disk that stay free. Not every file system counts them. */
  minFreeInodes: number;
}

/** Room on the disk for one file. */
export interface Reservation {
  /** How many bytes are reserved for the content, including those that are written. */
  readonly bytes: number;
  /**
   * Reserves more.
   * @param bytes for the content, in total; fewer than before changes nothing, but checks whether the disk has become too full
   * @param least how many of them are enough if there is little room. Defaults to all
   * @throws HeadwayError `disk-full`. The reservation stays as it was
   */
  extend(bytes: number, least?: number): Promise<void>;
  /** Gives the room back that is not written. Call it when the file is complete, or has been removed. */
  release(): void;
}

/** Reserves room on the disk of the files, for all processes that share the folder. */
export interface DiskRoom {
  /**
   * Reserves room for a file.
   * @param bytes for its content
   * @param written returns how many of them the file system has
   * @param least how many of them are enough if there is little room. Defaults to all
   * @throws HeadwayError `disk-full` if less than the minimum would stay free
   */
  reserve(bytes: number, written: () => number, least?: number): Promise<Reservation>;
}

/** Blocks of 4 KiB are what most file systems allocate. */
const BLOCK = 4096;
/** A file also needs its `file.json`, its folder, and perhaps a block of addresses. */
const OVERHEAD_BYTES = 3 * BLOCK;
/** A file has a content, a `file.json` and a folder. */
const INODES = 3;
/** How often a reservation that does not fit is tried again while others are being used up, and how long after, in ms. */
const TRIES = 5;
const TRY_AGAIN_MS = 250;
/** How long two processes that want the same room may take to agree, in ms. */
const AGREE_MS = 2000;

interface Held {
  bytes: number;
  written: () => number;
}

/**
 * Opens the room of a folder.
 *
 * Each process publishes what it holds in a file of the folder (see {@link openLedger}), so that the reservations of all
 * processes count, on every machine that mounts the folder, and none depends on Redis. A process first publishes what it
 * claims, then reads what the others have published, and then the free space. Of two processes that claim at the same
 * moment at least one sees the other, so the room is never given away twice.
 */
export function openDiskRoom({ root, minFreeBytes, minFreeInodes }: DiskRoomOptions): DiskRoom {
  const holds = new Set<Held>();
  const ledger = openLedger(join(root, 'reserved'), () => sum([...holds].map(outstanding)));
  let last: Promise<unknown> = Promise.resolve();

  /** Claims of one process are made one after another. */
  function exclusive<T>(work: () => Promise<T>): Promise<T> {
    const done = last.then(work);
    last = done.catch(() => {});
    return done;
  }

  /** What is free beyond the minimum. */
  async function readFree(): Promise<Claim> {
    const { bavail, bsize, files, ffree } = await statfs(root);
    return {
      bytes: bavail * bsize - minFreeBytes,
      // Without a fixed number of inodes, a file system reports none.
      inodes: files === 0 ? Number.POSITIVE_INFINITY : ffree - minFreeInodes,
    };
  }

  /**
   * @param least how many bytes are enough. If the disk has less than wanted, half of it is taken, so that some is left for others
   * @param isLast whether `least` also counts if others hold what is missing
   * @param take called when the room is taken, with its bytes
   * @returns `busy` if the room that is held, here or by other processes, is what is missing
   */
  async function claim(
    { bytes, inodes }: Claim,
    least: number,
    isLast: boolean,
    take: (bytes: number) => void,
  ): Promise<'taken' | 'full' | 'busy'> {
    const id = randomBytes(6).toString('hex');
    const until = performance.now() + AGREE_MS;
    let wanted: Claim = { bytes, inodes };
    for (;;) {
      await ledger.publish({ id, ...wanted });
      const others = await ledger.readOthers();
      // Before the free space is read: bytes that are written meanwhile then count twice rather than not at all.
      const own = sum([...holds].map(outstanding));
      const free = await readFree();
      const left = less(less(free, own), others.held);
      const rest = less(left, wanted);
      if (rest.bytes < 0 && wanted.bytes > least && (isLast || free.bytes < wanted.bytes)) {
        wanted = { bytes: Math.max(least, roundDown(left.bytes / 2)), inodes };
        continue;
      }
      if (fits(less(rest, sum(others.claims)))) {
        take(wanted.bytes);
        await ledger.publish();
        return 'taken';
      }
      if (!fits(rest) || performance.now() > until) {
        await ledger.publish();
        // What is held counts twice between the moment when it is written and the moment when that is known.
        return fits(less(free, wanted)) ? 'busy' : 'full';
      }
      // Another process claims the same room: the first by id waits for its turn, the others step back.
      if (others.claims.some((other) => other.id < id)) await ledger.publish();
      await delay(5 + Math.random() * 10);
    }
  }

  async function take(wanted: Claim, least: number, change: (bytes: number) => void): Promise<void> {
    await mkdir(root, { recursive: true, mode: 0o700 });
    for (let tries = 1; ; tries++) {
      const outcome = await exclusive(() => claim(wanted, least, tries === TRIES, change));
      if (outcome === 'taken') return;
      if (outcome === 'full' || tries === TRIES) throw await diskFull();
      await delay(TRY_AGAIN_MS * (1 + Math.random()));
    }
  }

  async function diskFull(): Promise<HeadwayError> {
    const { inodes } = await readFree();
    const lacks =
      inodes < INODES ? 'The disk cannot hold more files' : 'Not enough free disk space for this file';
    return new HeadwayError('disk-full', `${lacks}. Nothing was stored. Try again later.`);
  }

  return {
    async reserve(bytes, written, least = bytes) {
      const held: Held = { bytes, written };
      const claimed = claimFor(bytes);
      try {
        await take(claimed, claimFor(least).bytes, (taken) => {
          if (taken < claimed.bytes) held.bytes = taken - OVERHEAD_BYTES;
          holds.add(held);
        });
      } catch (error) {
        holds.delete(held);
        throw error;
      }
      ledger.keep();
      return {
        get bytes() {
          return held.bytes;
        },
        async extend(wanted, least = wanted) {
          // The room is there, unless another program has used it up.
          if (wanted <= held.bytes) {
            if ((await readFree()).bytes < 0) throw await diskFull();
            return;
          }
          const had = roundUp(Math.max(held.bytes, written()));
          const more = Math.max(0, roundUp(wanted) - had);
          await take({ bytes: more, inodes: 0 }, Math.max(0, roundUp(least) - had), (taken) => {
            held.bytes = taken < more ? had + taken : wanted;
          });
        },
        release() {
          if (holds.delete(held)) exclusive(() => ledger.publish()).catch(() => {});
        },
      };
    },
  };
}

const roundUp = (bytes: number): number => Math.ceil(bytes / BLOCK) * BLOCK;
const roundDown = (bytes: number): number => Math.floor(bytes / BLOCK) * BLOCK;

/** What a file takes of which nothing is written yet. */
const claimFor = (bytes: number): Claim => outstanding({ bytes, written: () => 0 });

/** The part of a reservation that the file system does not count yet. */
const outstanding = ({ bytes, written }: Held): Claim => ({
  bytes: Math.max(0, roundUp(bytes) - roundUp(written())) + OVERHEAD_BYTES,
  inodes: INODES,
});

const sum = (claims: readonly Claim[]): Claim => ({
  bytes: claims.reduce((total, { bytes }) => total + bytes, 0),
  inodes: claims.reduce((total, { inodes }) => total + inodes, 0),
});

const less = (a: Claim, b: Claim): Claim => ({ bytes: a.bytes - b.bytes, inodes: a.inodes - b.inodes });

const fits = ({ bytes, inodes }: Claim): boolean => bytes >= 0 && inodes >= 0;

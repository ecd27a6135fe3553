import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import type { Logger } from '../../shared/process/log.js';

/** How many bytes the kernel holds for a viewer beyond those that are on their way to it. */
const UNSENT_BYTES = 32 * 1024;

const IPPROTO_TCP = 6;
/** The number of TCP_NOTSENT_LOWAT; no other system has it. */
const TCP_NOTSENT_LOWAT = ({ linux: 25, darwin: 0x201 } as Partial<Record<string, number>>)[process.platform];

type SetSocketOption = (fd: number, level: number, option: number, value: number[], length: number) => number;

/** `null` where it cannot be called. */
let setSocketOption: SetSocketOption | undefined | null;

/** Loads what {@link boundUnsent} needs. If it cannot be loaded, that is logged once for the process. */
export function loadBound(log: Logger): void {
  if (TCP_NOTSENT_LOWAT === undefined || setSocketOption !== undefined) return;
  setSocketOption = loadSetSocketOption();
  if (setSocketOption) return;
  log.info(
    'the optional package koffi is not available: for a viewer that does not read, the kernel buffers up to its own limit (net.ipv4.tcp_notsent_lowat, or about 4 MiB)',
  );
}

/**
 * Keeps the kernel from buffering megabytes for a viewer that does not read: a socket counts as full when
 * {@link UNSENT_BYTES} wait behind what the viewer's own system has room for. What is on its way is not limited, so a
 * viewer that reads gets its full rate.
 *
 * Node has no call for socket options. Where the optional package `koffi` is not installed, the kernel's own limit
 * (`net.ipv4.tcp_notsent_lowat`, or about 4 MiB) holds.
 */
export function boundUnsent(socket: Socket): void {
  if (TCP_NOTSENT_LOWAT === undefined) return;
  const fd = (socket as { _handle?: { fd?: number } | null })._handle?.fd;
  if (typeof fd !== 'number' || fd < 0) return;
  if (setSocketOption === undefined) setSocketOption = loadSetSocketOption();
  try {
    // It fails for what is no TCP socket, which has a small buffer of its own.
    setSocketOption?.(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, [UNSENT_BYTES], 4);
  } catch {
    // The stream works without; the call would throw for the next one too.
    setSocketOption = null;
  }
}

function loadSetSocketOption(): SetSocketOption | null {
  try {
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi').default;
    const libc = koffi.load(null);
    return libc.func('int setsockopt(int, int, int, const int *, uint32_t)') as unknown as SetSocketOption;
  } catch {
    return null;
  }
}

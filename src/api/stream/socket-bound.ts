import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import type { Logger } from '../../shared/process/log.js';

/** Maximum number of bytes that the kernel buffers for a viewer, beyond those in flight. */
const UNSENT_BYTES = 32 * 1024;

const IPPROTO_TCP = 6;
/** The number of the socket option TCP_NOTSENT_LOWAT. Other systems do not have it. */
const TCP_NOTSENT_LOWAT = ({ linux: 25, darwin: 0x201 } as Partial<Record<string, number>>)[process.platform];

type SetSocketOption = (fd: number, level: number, option: number, value: number[], length: number) => number;

/** `undefined` before it is loaded, `null` when it is not available. */
let setSocketOption: SetSocketOption | undefined | null;

/** Loads the system call for {@link boundUnsent}. Logs once when it is not available. */
export function loadBound(log: Logger): void {
  if (TCP_NOTSENT_LOWAT === undefined || setSocketOption !== undefined) return;
  setSocketOption = loadSetSocketOption();
  if (setSocketOption) return;
  log.info(
    'the optional package koffi is not installed: for each viewer that does not read, the kernel buffers up to its own limit (net.ipv4.tcp_notsent_lowat, or about 4 MiB)',
  );
}

/**
 * Keeps the kernel from buffering megabytes for a viewer that does not read: a socket counts as full when
 * {@link UNSENT_BYTES} are waiting to be sent. Bytes in flight are not limited, so a viewer that reads gets the full rate.
 *
 * Node cannot set this socket option. Without the optional package `koffi`, the kernel's own limit applies
 * (`net.ipv4.tcp_notsent_lowat`, or about 4 MiB).
 */
export function boundUnsent(socket: Socket): void {
  if (TCP_NOTSENT_LOWAT === undefined) return;
  const fd = (socket as { _handle?: { fd?: number } | null })._handle?.fd;
  if (typeof fd !== 'number' || fd < 0) return;
  if (setSocketOption === undefined) setSocketOption = loadSetSocketOption();
  try {
    // Fails for sockets other than TCP, which have small buffers anyway.
    setSocketOption?.(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, [UNSENT_BYTES], 4);
  } catch {
    // The stream works without the option. The call would throw for the next socket too.
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

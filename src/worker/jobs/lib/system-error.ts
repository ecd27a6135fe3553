/** What kept the server from using a file, in words for viewers. The input is not to blame: another attempt may help. */
const REASONS: Array<[reason: string, codes: string[], libvips: RegExp]> = [
  ['the disk is full', ['ENOSPC', 'EDQUOT'], /no space left on device|disk quota exceeded/i],
  ['too many files are open', ['EMFILE', 'ENFILE'], /too many open files/i],
  [
    'there is not enough memory',
    ['ENOMEM', 'ERR_MEMORY_ALLOCATION_FAILED', 'Z_MEM_ERROR'],
    /cannot allocate memory|out of memory/i,
  ],
  [
    'it is not there',
    ['ENOENT', 'ENOTDIR', 'ESTALE'],
    /no such file or directory|input file is missing|stale file handle/i,
  ],
  [
    'access is denied',
    ['EACCES', 'EPERM', 'EROFS'],
    /permission denied|read-only file system|operation not permitted/i,
  ],
  ['the disk has failed', ['EIO', 'ENXIO', 'ENODEV'], /input\/output error/i],
  // Without the system's own reason.
  ['it cannot be read or written', [], /unable to open for (?:read|write)|write error/i],
];

/**
 * An error for viewers where the system, not the input, is the cause; the system's own error is its cause. Looks at the
 * codes of Node's errors, and at the text of libvips', which have no codes.
 * @returns undefined for any other error
 */
export function asSystemError(error: unknown): Error | undefined {
  const { code, syscall } = (error ?? {}) as NodeJS.ErrnoException;
  const known = REASONS.find(([, codes]) => codes.includes(String(code)));
  const isSystem = known !== undefined || typeof syscall === 'string' || /^E[A-Z]+$/.test(String(code));
  return isSystem ? systemError(known?.[0] ?? String(code), error) : undefined;
}

/** The same for an error of libvips. */
export function asVipsSystemError(error: Error): Error | undefined {
  const known = REASONS.find(([, , libvips]) => libvips.test(error.message));
  return known && systemError(known[0], error);
}

const systemError = (reason: string, cause: unknown): Error =>
  new Error(`a file on the server could not be used: ${reason}`, { cause });

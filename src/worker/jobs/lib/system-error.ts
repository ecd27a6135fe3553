/**
 * Reasons why the server could not use a file, as shown to viewers. The input is not at fault, so another attempt may
 * succeed.
 */
const REASONS: Array<[reason: string, codes: string[], libvips: RegExp]> = [
  ['the disk is full', ['ENOSPC', 'EDQUOT'], /no space left on device|disk quota exceeded/i],
  ['too many files are open', ['EMFILE', 'ENFILE'], /too many open files/i],
  [
    'out of memory',
    ['ENOMEM', 'ERR_MEMORY_ALLOCATION_FAILED', 'Z_MEM_ERROR'],
    /cannot allocate memory|out of memory/i,
  ],
  [
    'the file does not exist',
    ['ENOENT', 'ENOTDIR', 'ESTALE'],
    /no such file or directory|input file is missing|stale file handle/i,
  ],
  [
    'access is denied',
    ['EACCES', 'EPERM', 'EROFS'],
    /permission denied|read-only file system|operation not permitted/i,
  ],
  ['disk I/O error', ['EIO', 'ENXIO', 'ENODEV'], /input\/output error/i],
  // libvips sometimes omits the reason given by the operating system.
  ['the file cannot be read or written', [], /unable to open for (?:read|write)|write error/i],
];

/**
 * Returns an error for viewers if an error in Node comes from the operating system and not from the input. The original
 * error is its `cause`.
 * @returns `undefined` for any other error
 */
export function asSystemError(error: unknown): Error | undefined {
  const { code, syscall } = (error ?? {}) as NodeJS.ErrnoException;
  const known = REASONS.find(([, codes]) => codes.includes(String(code)));
  const isSystem = known !== undefined || typeof syscall === 'string' || /^E[A-Z]+$/.test(String(code));
  return isSystem ? systemError(known?.[0] ?? String(code), error) : undefined;
}

/** Does the same for an error from libvips, which has a text but no code. */
export function asVipsSystemError(error: Error): Error | undefined {
  const known = REASONS.find(([, , libvips]) => libvips.test(error.message));
  return known && systemError(known[0], error);
}

const systemError = (reason: string, cause: unknown): Error =>
  new Error(`a file on the server could not be used: ${reason}`, { cause });

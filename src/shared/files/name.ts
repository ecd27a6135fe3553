const MAX_BYTES = 200;

/**
 * Makes a name fit to be shown and offered for download: no folder, no control character, at most 200 bytes
 * (the extension is kept). It is never part of a path of ours.
 */
export function cleanFileName(name: string): string {
  const base = name.normalize('NFC').split(/[/\\]/).pop() ?? '';
  const clean = base.replace(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069"<>|:*?]/gu, '').trim();
  if (/^\.*$/.test(clean)) return 'file';
  return shorten(clean);
}

function shorten(name: string): string {
  if (Buffer.byteLength(name) <= MAX_BYTES) return name;
  const dot = name.lastIndexOf('.');
  const extension = dot > 0 && Buffer.byteLength(name.slice(dot)) <= 20 ? name.slice(dot) : '';
  let stem = extension ? name.slice(0, dot) : name;
  while (Buffer.byteLength(stem + extension) > MAX_BYTES) stem = Array.from(stem).slice(0, -1).join('');
  return stem + extension;
}

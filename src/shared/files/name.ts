const MAX_BYTES = 200;

/**
 * Returns a file name that is safe to show and to offer for download: without folders and control characters, and with at
 * most 200 bytes (the extension is kept). The name is never used in a path on the server.
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

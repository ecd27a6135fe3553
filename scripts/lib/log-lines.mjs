const COLORS = { redis: 35, api: 36, worker: 33 };
const LEVELS = { 10: 'trace', 20: 'debug', 30: '', 40: 'warning: ', 50: 'error: ', 60: 'fatal: ' };
const HIDDEN = new Set(['level', 'time', 'name', 'pid', 'hostname', 'msg', 'err']);

/** Returns a function that prints output of children: prefixed with the child's name, with pino's JSON made readable. */
export function linePrinter(out, color = out.isTTY && !process.env.NO_COLOR) {
  return (name, line) => {
    const prefix = `${name.padEnd(6)} |`;
    out.write(
      `${color ? `\x1b[${COLORS[name] ?? 37}m${prefix}\x1b[0m` : prefix} ${visible(readable(line))}\n`,
    );
  };
}

/** Returns a line with its control characters escaped: it can contain what a caller has sent, and a terminal obeys them. */
const visible = (line) =>
  line.replace(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters to escape
    /[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );

/** Converts a JSON line from pino to text. Other lines are returned unchanged. */
export function readable(line) {
  if (!line.startsWith('{"level":')) return line;
  try {
    const entry = JSON.parse(line);
    const rest = Object.entries(entry)
      .filter(([key]) => !HIDDEN.has(key))
      .map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
    const error = entry.err ? ` (${entry.err.message})` : '';
    return `${LEVELS[entry.level] ?? ''}${entry.msg ?? ''}${error}${rest.length ? `  ${rest.join(' ')}` : ''}`;
  } catch {
    return line;
  }
}

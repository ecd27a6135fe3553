const COLORS = { redis: 35, api: 36, worker: 33 };
const LEVELS = { 10: 'trace', 20: 'debug', 30: '', 40: 'warning: ', 50: 'error: ', 60: 'fatal: ' };
const HIDDEN = new Set(['level', 'time', 'name', 'pid', 'hostname', 'msg', 'err']);

/** Returns a function that prints output of children: prefixed with the child's name, with pino's JSON made readable. */
export function linePrinter(out, color = out.isTTY && !process.env.NO_COLOR) {
  return (name, line) => {
    const prefix = `${name.padEnd(6)} |`;
    out.write(`${color ? `\x1b[${COLORS[name] ?? 37}m${prefix}\x1b[0m` : prefix} ${readable(line)}\n`);
  };
}

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

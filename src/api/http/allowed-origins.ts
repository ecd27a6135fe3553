/** The names of this machine. A browser takes a page under each of them for another origin. */
const LOOPBACK_NAMES = ['localhost', '127.0.0.1', '[::1]'];

/**
 * Returns the origins whose pages may call the API. With an origin of this machine, the same port under its other names is
 * allowed too: whoever opens a page at `localhost` instead of `127.0.0.1` sees the same page.
 * @param setting `CORS_ORIGINS`
 */
export function allowedOrigins(setting: string): string[] {
  const configured = setting.split(',').flatMap((origin) => origin.trim() || []);
  return [...new Set(configured.flatMap(withLoopbackNames))];
}

function withLoopbackNames(origin: string): string[] {
  const { protocol, hostname, port } = new URL(origin);
  if (!LOOPBACK_NAMES.includes(hostname)) return [origin];
  return LOOPBACK_NAMES.map((name) => `${protocol}//${name}${port && `:${port}`}`);
}

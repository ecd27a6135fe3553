/** A resource of a collection below `/v1`, and what is done with it. */
const RESOURCE = /^\/v1\/(jobs|files|channels|schedules|definitions|keys)\/([^/]+)(?:\/(\w{1,20}))?$/;
const FILES = /^\/(client|assets|admin\/queues|docs)\/./;

/**
 * Returns the route of a URL with parameters instead of values, as it is grouped in logs, and the job that the path names.
 * Express knows the route only while a handler runs, and not if no handler is reached.
 */
export function routeOf(url: string): { route: string; jobId?: string } {
  const [path = ''] = url.split('?', 1);
  const [, collection, id = '', rest] = RESOURCE.exec(path) ?? [];
  if (collection) {
    const route = `/v1/${collection}/:id${rest ? `/${rest}` : ''}`;
    return collection === 'jobs' ? { route, jobId: decoded(id).slice(0, 200) } : { route };
  }
  const [, folder] = FILES.exec(path) ?? [];
  if (folder) return { route: `/${folder}/*` };
  const [, job] = /^\/dashboard\/jobs\/([^/]+)$/.exec(path) ?? [];
  if (job) return { route: '/dashboard/jobs/:id', jobId: decoded(job).slice(0, 200) };
  return { route: path.slice(0, 100) };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const JOB = /^\/(?:v1|dashboard)\/jobs\/([^/]+)/i;
/** Maximum length of an id in the log, in characters. */
const MAX_ID = 200;

/** Returns the id of the job that a path names, for the logs. */
export function jobIdInPath(path: string): string | undefined {
  const [, id] = JOB.exec(path) ?? [];
  return id === undefined ? undefined : decoded(id).slice(0, MAX_ID);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

// The image's entry point. The argument is the role: `api` (the default) or `worker`.
const ROLES = ['api', 'worker'];

// Options are for the role itself.
const role = process.argv.slice(2).find((arg) => !arg.startsWith('--')) ?? 'api';
if (!ROLES.includes(role)) {
  console.error(`error: unknown role "${role}": start the image with one of: ${ROLES.join(', ')}`);
  process.exit(78);
}
// The kernel ignores SIGTERM for process 1 while it has no handler. During its start, a role has none of its own yet.
for (const signal of ['SIGTERM', 'SIGINT']) {
  process.on(signal, () => {
    if (process.listenerCount(signal) === 1) process.exit(0);
  });
}
await import(`../../dist/${role}/main.js`);

/**
 * The packages that are bundled. Others have native code or threads and look for files beside their own (sharp, libsql,
 * koffi, pino, piscina), or are loaded by few processes.
 */
export const PACKAGES = [
  '@fastify/busboy',
  'bullmq',
  'commander',
  'content-disposition',
  'cors',
  'cron-parser',
  'express',
  'helmet',
  'ioredis',
  'ipaddr.js',
  'jiti',
  'jose',
  'string-width',
  'zod',
];

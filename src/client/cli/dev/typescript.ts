/**
 * `node --import headway-jobs/typescript program.ts` runs a program in TypeScript on every version of Node that Headway
 * supports. Node removes the types itself from 22.18 on. Older versions use the package `typescript` of the project.
 */
import { register } from 'node:module';

const { typescript } = process.features as { typescript?: string | false };
if (!typescript) register('./typescript-hooks.js', import.meta.url);

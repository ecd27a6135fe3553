// npm run docs:configuration: writes the tables of docs/operations/configuration.md from the schema of the settings.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createJiti } from 'jiti';
import { renderConfigurationPage } from './lib/configuration-page.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const page = join(root, 'docs/operations/configuration.md');
const { configSchema } = await createJiti(import.meta.url).import(join(root, 'src/shared/process/config.ts'));
writeFileSync(page, renderConfigurationPage(readFileSync(page, 'utf8'), configSchema));

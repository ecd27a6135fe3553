import { defineScripts, luaBeside } from '../redis/scripts.js';

/** The command of the script of the data format. Arguments and reply are described at the top of the Lua file. */
export interface FormatCommands {
  recordFormat(key: string, own: number, oldest: number): Promise<string | null>;
}

const lua = luaBeside(import.meta.url);

export const formatScripts = defineScripts<FormatCommands>({
  recordFormat: { numberOfKeys: 1, lua: lua('format') },
});

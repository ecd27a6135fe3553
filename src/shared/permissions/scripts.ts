import { defineScripts, luaBeside } from '../redis/scripts.js';

/** The command of the script. Arguments and reply are described at the top of the Lua file. */
export interface PermissionCommands {
  deniedCalls(...calls: string[]): Promise<number[]>;
}

const lua = luaBeside(import.meta.url);

export const permissionScripts = defineScripts<PermissionCommands>({
  deniedCalls: { numberOfKeys: 0, lua: lua('denied') },
});

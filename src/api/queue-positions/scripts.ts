import { defineScripts, luaBeside } from '../../shared/redis/scripts.js';

/** The commands of the scripts in this folder. The Lua files describe the arguments at the top. */
export interface PositionCommands {
  readPositions(...args: Array<string | number>): Promise<number[]>;
}

const lua = luaBeside(import.meta.url);

export const positionScripts = defineScripts<PositionCommands>({
  readPositions: { numberOfKeys: 3, lua: lua('positions') },
});

import { luaBeside } from '../redis/scripts.js';

const lua = luaBeside(import.meta.url);

/** Finds the calls that a user may not make. It is sent to each server by itself, so no connection has it as a command. */
export const deniedCallsLua = lua('denied');

/** Settings of a process that sheds no load. A busy machine delays every process: only the tests of this check are about that. */
export const NEVER_OVERLOADED = { SHED_LOOP_DELAY_MS: '0', SHED_MEMORY_PERCENT: '0' };

/**
 * Replaces `shared-pool.js` in React Native (the field `react-native` of the package), which has no shared workers, and whose
 * engine cannot compile `import.meta`.
 */
export const createSharedPool = (): undefined => undefined;

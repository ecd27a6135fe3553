/** The channel rules of `npm start`: anyone may use `public.**`. */
export const openToAll = {
  CHANNEL_RULES: '[{"channel": "public.**", "subscribe": "anyone", "publish": "anyone"}]',
};

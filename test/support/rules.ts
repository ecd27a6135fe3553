/** The channels that `npm start` opens for trying out. */
export const openToAll = {
  CHANNEL_RULES: '[{"channel": "public.**", "subscribe": "anyone", "publish": "anyone"}]',
};

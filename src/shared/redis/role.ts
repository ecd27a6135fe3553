/** The purpose of a connection. It decides how the connection behaves while Redis is unavailable. */
export type ConnectionRole =
  /** Commands of an HTTP request. They fail at once, so that the caller gets a 503 instead of waiting. */
  | 'request'
  /** Commands of a worker. They wait until Redis is back. */
  | 'patient'
  /**
   * Events that a worker publishes. They fail at once, and ioredis never resends them, because it cannot know which of them
   * Redis has processed. The caller repeats them.
   */
  | 'report'
  /** Commands of BullMQ. They wait until Redis is back. */
  | 'bullmq';

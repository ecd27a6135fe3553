/** Something that runs until it is stopped. */
export interface Service {
  /** Starts no new round of work. Resolves when the round in progress has ended. */
  stop(): Promise<void>;
}

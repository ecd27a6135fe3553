/** The part of one child in the progress of its parent. */
export interface Part {
  /** Sets the progress of the child, 0 to 100. It may go back when the child is retried. */
  percent(percent: number): void;
  /** Marks the child as ended, successfully or not: its part is complete. */
  end(): void;
}

/** Adds a child to the progress of its parent. @param weight a positive number */
export type AddPart = (weight: number) => Part;

/** Progress of all children of a stage: the weighted mean of their percentages, and how many have ended. */
export interface RolledUp {
  percent: number;
  current: number;
  total: number;
}

/** Combines the progress of children. The cost of a change does not depend on their number. */
export class RollUp {
  private weights = 0;
  /** Sum of weight × percent. */
  private done = 0;
  private ended = 0;
  private children = 0;

  /** @param onChange called with the new state after each change, possibly very often */
  constructor(private readonly onChange: (state: RolledUp) => void) {}

  /** Adds a child. @param weight a positive number */
  add(weight: number): Part {
    this.weights += weight;
    this.children++;
    let percent = 0;
    let ended = false;
    const move = (to: number): void => {
      this.done += weight * (to - percent);
      percent = to;
      this.notify();
    };
    this.notify();
    return {
      percent(now) {
        if (!ended && now !== percent) move(Math.min(Math.max(now, 0), 100));
      },
      end: () => {
        if (ended) return;
        ended = true;
        this.ended++;
        move(100);
      },
    };
  }

  private notify(): void {
    // Exactly 100 when all have ended: the sum may have rounding errors.
    const percent = this.ended === this.children ? 100 : Math.min(this.done / this.weights, 100);
    this.onChange({ percent, current: this.ended, total: this.children });
  }
}

/** Whether a value is a valid weight: a positive number. */
export const isWeight = (value: unknown): value is number =>
  typeof value === 'number' && value > 0 && value <= Number.MAX_SAFE_INTEGER;

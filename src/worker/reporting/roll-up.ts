/** One child's part in the bar of its parent. */
export interface Part {
  /** How far the child is, 0 to 100. A child that is run again begins anew. */
  percent(percent: number): void;
  /** It has ended, whatever became of it: its part of the bar is done. */
  over(): void;
}

/** Makes room for a child in a bar. @param weight its share, a positive number */
export type AddPart = (weight: number) => Part;

/** What the children of a stage make of its bar: the weighted mean of their percent, and how many have ended. */
export interface RolledUp {
  percent: number;
  current: number;
  total: number;
}

/** Rolls up the progress of children into one bar. Each change costs the same, however many children there are. */
export class RollUp {
  private weights = 0;
  /** Sum of weight times percent. */
  private done = 0;
  private ended = 0;
  private children = 0;

  /** @param onChange told the new state after each change, which may come very often */
  constructor(private readonly onChange: (state: RolledUp) => void) {}

  /** Adds a child. @param weight its share, a positive number */
  add(weight: number): Part {
    this.weights += weight;
    this.children++;
    let percent = 0;
    let over = false;
    const move = (to: number): void => {
      this.done += weight * (to - percent);
      percent = to;
      this.tell();
    };
    this.tell();
    return {
      percent(now) {
        if (!over && now !== percent) move(Math.min(Math.max(now, 0), 100));
      },
      over: () => {
        if (over) return;
        over = true;
        this.ended++;
        move(100);
      },
    };
  }

  private tell(): void {
    // Not the sum, whose last digits may be off: all of them is all.
    const percent = this.ended === this.children ? 100 : Math.min(this.done / this.weights, 100);
    this.onChange({ percent, current: this.ended, total: this.children });
  }
}

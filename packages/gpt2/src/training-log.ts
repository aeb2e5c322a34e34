// The log of a training run: one entry per report, without gaps, halves or repetitions however often the run was killed.

/** One report of a run. Everything but the speed is the same in a run that was killed and resumed as in one that was not. */
export interface TrainingLogEntry {
  /** Updates done. */
  readonly step: number;
  /** Mean cross-entropy of this update's batch before the update, in nats per token. */
  readonly loss: number;
  /** This update's learning rate. */
  readonly rate: number;
  /** Mean cross-entropy of the held-out rows after the update, in nats per token, where it was measured. */
  readonly heldOutLoss?: number;
  /** What the caller's `evaluate` gave, where it ran; figures need not be finite. */
  readonly metrics?: Readonly<Record<string, number>>;
  readonly tokensPerSecond: number;
}

/** Where the log is kept. */
export interface TrainingLog {
  /** Called once before the first update: removes entries behind `step`, which will be made again, and what a kill left half-written. */
  rewind(step: number): Promise<void>;
  /** Adds an entry; readers see it whole or not at all. */
  append(entry: TrainingLogEntry): Promise<void>;
  /** Called before a checkpoint is written: what was appended is durable, so that no checkpoint is ahead of its log. */
  flush(): Promise<void>;
}

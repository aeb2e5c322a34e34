// The refusal of a training that takes more of a device than it may.
import { formatBytes, LimnError } from '@limn/gpu';

/** What a training takes, and what it may; an update of 0 bytes was not planned, as factors and moments are too many already. */
export interface TrainingBytes {
  readonly factors: number;
  readonly update: number;
  readonly memoryBytes: number;
}

/** `memory/over-budget`; `training` begins the sentence, `hint` says what to make smaller. */
export function overBudget(training: string, bytes: TrainingBytes, hint: string): LimnError {
  const { factors, update, memoryBytes } = bytes;
  const forUpdate = update === 0 ? '' : ` and ${formatBytes(update)} for an update`;
  return new LimnError(
    'memory/over-budget',
    `${training} takes ${formatBytes(factors)} of factors and moments${forUpdate}; the budget is ${formatBytes(memoryBytes)}.`,
    { details: { bytesNeeded: factors + update, ...bytes }, hint },
  );
}

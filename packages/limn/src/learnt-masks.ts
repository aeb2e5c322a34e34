// What learning masks came to: the gates that stay open, and whether their number still moved at the end.
import { selectThreshold, type LearnedMasks, type Scores } from '@limn/attribution';

/** The end of a learning run. */
export interface LearntMasks {
  readonly updates: number;
  /** Mean loss of the last update. */
  readonly loss: number;
  /** Expected number of open gates at the end. */
  readonly expected: number;
  /** Edges whose gate is open more often than not: the circuit that was learnt. */
  readonly edges: number;
  /** Relative change of the expected number over the last tenth of the updates. */
  readonly drift: number;
}

/** Gates with σ(log α) of at least this are open. */
const OPEN = 0.5;

/** The figures of a run. */
export function learntMasks(scores: Scores, history: LearnedMasks['history']): LearntMasks {
  const last = history.at(-1) ?? { loss: Number.NaN, edges: Number.NaN };
  const before = history.at(-1 - Math.ceil(history.length / 10)) ?? history[0] ?? last;
  return {
    updates: history.length,
    loss: last.loss,
    expected: last.edges,
    edges: selectThreshold(scores, OPEN).edgeCount,
    drift: Math.abs(last.edges - before.edges) / before.edges,
  };
}

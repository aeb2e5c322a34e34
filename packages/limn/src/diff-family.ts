// Diffs that are trained in one call: those whose rows have one shape, so that what a diff is found by depends on no diff of another kind.
import type { DiffShape, DiffSpec, OwnAnswers } from '@limn/dit';

/** Diffs with the shape of their rows. */
export interface DiffFamily {
  /** Of its checkpoints' folder, and in what is told: 'gated-topic'. */
  readonly name: string;
  readonly specs: readonly DiffSpec[];
  /** Of a diff's rows; how many diffs are trained together is said elsewhere. */
  readonly shape: Omit<DiffShape, 'tasks'>;
  /** Most tokens of an answer that a diff gives itself, where rows ask for some. */
  readonly own?: Pick<OwnAnswers, 'maxNewTokens' | 'eosIds'>;
  /** What made the rows, for their diffs' keys. */
  readonly sampler: { readonly name: string; readonly version: string };
}

/** Some of a family's diffs, under the same shape. */
export const withSpecs = (family: DiffFamily, specs: readonly DiffSpec[]): DiffFamily => ({ ...family, specs });

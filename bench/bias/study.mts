// The shape of what bench/bias.mts measures: for every seed, what each method does to the gap of professions that it has not seen, with and without what is to stay.
import type { KeptStudy } from '../kept-study.mjs';
import type { ParityEvaluation } from '@limn/steering';

/** What is learnt. */
export const BIAS_METHODS = {
  'scales of heads and neurons':
    'one factor per head and MLP neuron, the same at every position: it can be baked into the weights',
  'scales of cells': 'ActivScalar as in the paper: one factor per sublayer output and position, counted from the end',
  vectors: 'SteerVec: one vector per sublayer output, the same at every position',
} as const;
export type BiasMethod = keyof typeof BIAS_METHODS;

/** What is to stay while it is learnt. */
export const RETENTION_SETS = {
  none: 'nothing',
  given: 'prompts in which the gender is given (“the woman ran because”)',
  wide: 'those, and prompts of two other tasks (ioi, country-capital)',
} as const;
export type RetentionSet = keyof typeof RETENTION_SETS;

/** The rows of the table. Cells of the last positions of other tasks' prompts share no position with those of this task: no wide set for them. */
export const BIAS_ROWS: readonly { readonly method: BiasMethod; readonly retention: RetentionSet }[] = [
  { method: 'scales of heads and neurons', retention: 'none' },
  { method: 'scales of heads and neurons', retention: 'given' },
  { method: 'scales of heads and neurons', retention: 'wide' },
  { method: 'scales of cells', retention: 'none' },
  { method: 'scales of cells', retention: 'given' },
  { method: 'vectors', retention: 'none' },
  { method: 'vectors', retention: 'given' },
  { method: 'vectors', retention: 'wide' },
];

/** What an edit does to documents of one family. */
export interface ControlFinding {
  readonly family: string;
  readonly prompts: number;
  /** Mean and largest KL(untouched ‖ edited) of the next token behind beginnings, in nats. */
  readonly meanKl: number;
  readonly largestKl: number;
  /** Of the whole documents; null where values are not the same at every position. */
  readonly perplexity: { readonly before: number; readonly after: number } | null;
}

/** One row under one seed. */
export interface BiasRowFinding {
  readonly method: BiasMethod;
  readonly retention: RetentionSet;
  /** λ_M that served validation best, and what every λ_M did there. */
  readonly chosen: number;
  readonly tried: readonly {
    readonly weight: number;
    /** Share of the validation gap that is left, and of the validation retained prompts that are kept. */
    readonly gapLeft: number;
    readonly kept: number;
  }[];
  readonly parameters: number;
  readonly live: number;
  readonly nonZero: number;
  /** All professions; retained prompts of frames that were not learnt from. */
  readonly evaluation: ParityEvaluation;
  readonly controls: readonly ControlFinding[];
}

/** One seed of one model. */
export interface BiasFinding {
  readonly model: string;
  readonly seed: number;
  readonly prompts: {
    readonly train: number;
    readonly validation: number;
    readonly test: number;
    readonly retained: { readonly train: number; readonly validation: number; readonly test: number };
  };
  readonly rows: readonly BiasRowFinding[];
}

/** The whole study. */
export interface BiasStudy extends KeptStudy<BiasFinding> {
  readonly study: 'limn.bias';
  readonly version: 1;
  readonly updates: number;
}

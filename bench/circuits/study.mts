// The shape of what bench/circuits.mts measures on pocket: per seed and task what each method finds, and per seed how the tasks' circuits compare.
import type { MethodName } from '@limn/attribution';
import type { KeptStudy } from '../kept-study.mjs';

export const STUDY_METHODS = [
  'eap',
  'clean-corrupted',
  'eap-ig-inputs',
  'eap-ig-activations',
  'information-flow',
  'exact',
] as const satisfies readonly MethodName[];
export type StudyMethod = (typeof STUDY_METHODS)[number];

/** What one method found for one model, task and seed. */
export interface MethodFinding {
  /** The fewest edges whose circuit keeps 85 % on held-out pairs, asked for and left after pruning; null where none does. */
  readonly smallest: { readonly n: number; readonly kept: number; readonly faithfulness: number } | null;
  /** With exact patching: Pearson over |scores|, Spearman over scores, share of the ten strongest edges. null for exact itself. */
  readonly agreement: {
    readonly pearson: number | null;
    readonly spearman: number | null;
    readonly top10: number;
  } | null;
  /** Faithfulness on the held-out pairs at each size that was asked for; null where it has no value. */
  readonly curve: readonly { readonly n: number; readonly faithfulness: number | null }[];
  /** MIB's areas under and beside the curve. */
  readonly cpr: number | null;
  readonly cmd: number | null;
}

export interface TaskFinding {
  readonly model: string;
  readonly seed: number;
  readonly task: string;
  readonly metric: string;
  readonly methods: Readonly<Record<StudyMethod, MethodFinding>>;
}

/** One ordered pair of tasks: the circuit of one on the pairs of the other. */
export interface Transfer {
  readonly task: string;
  readonly circuit: string;
  readonly faithfulness: number | null;
  readonly edgeIou: number | null;
  readonly nodeIou: number | null;
  /** P(X ≥ shared edges) under random drawing. */
  readonly p: number | null;
}

export interface SeedComparison {
  readonly model: string;
  readonly seed: number;
  /** Edges asked for in every circuit. */
  readonly n: number;
  readonly transfers: readonly Transfer[];
  /** Over all pairs of different tasks. */
  readonly correlation: { readonly edgeIou: number | null; readonly nodeIou: number | null };
  readonly core: { readonly edges: number; readonly nodes: number };
}

/** The whole study; models are trained from other seeds, or of another width. */
export interface Study extends KeptStudy<TaskFinding> {
  readonly study: 'limn.circuits';
  readonly version: 2;
  readonly pairs: number;
  readonly evalPairs: number;
  readonly igSteps: number;
  readonly comparisons: readonly SeedComparison[];
}

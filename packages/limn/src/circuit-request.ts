// What is asked of the pipeline, and how its stages tell how far they are.
import type { MaskCheckpoints, Pair } from '@limn/attribution';
import type { HookedModel, RunProgress, TextStore } from '@limn/hooks';
import type { MetricName } from '@limn/tasks';
import type { ProgressEvent } from './console.js';
import type { MethodChoice } from './methods.js';
import type { PairSets } from './pairs-source.js';

/** What a circuit is chosen by, in the names of the library. */
export const UNITS = ['edge', 'node', 'neuron'] as const;
/** One of them. */
export type Unit = (typeof UNITS)[number];

/** What every stage of the pipeline accepts. */
export interface PipelineControls {
  readonly signal?: AbortSignal | undefined;
  /** Told of every phase, and how far it is. */
  readonly onProgress?: ((event: ProgressEvent) => void) | undefined;
  /** Told, in a line, how much work exact patching is going to be, before it starts. */
  readonly onNote?: ((line: string) => void) | undefined;
}

/** Where shards of scores are kept, how large they are, and what made their bits. */
export interface ShardPlan {
  readonly store: TextStore;
  /** Pairs in a shard. */
  readonly size: number;
  /** Only every `of`-th shard, from `index`. */
  readonly part?: { readonly index: number; readonly of: number } | undefined;
  /** Adapter and kernel plan. */
  readonly machine: string;
}

/** Pairs of another task of the same model. */
export interface OtherTask {
  readonly name: string;
  readonly metric: MetricName;
  readonly pairs: readonly Pair[];
}

/** What a circuit is searched for, how, and how it is doubted. */
export interface CircuitRequest extends PipelineControls {
  readonly model: HookedModel;
  readonly sets: PairSets;
  readonly metric: MetricName;
  readonly method: MethodChoice;
  /** Keep the scores of groups of pairs as they are finished, and go on from what is kept. */
  readonly shards?: ShardPlan | undefined;
  /** Keep the state of masks that are learnt, and go on from it. */
  readonly checkpoints?: MaskCheckpoints | undefined;
  /** Random connected circuits per size to hold the curve against; 0 for none. Default 3. */
  readonly draws?: number | undefined;
  /** What a circuit is chosen by: edges; nodes, or neurons of their outputs, which bring the edges out of them. Default 'edge'. */
  readonly unit?: Unit | undefined;
  /** Search for the smallest circuit that is this faithful, and show it. */
  readonly threshold?: number | undefined;
  /** Drop every edge and every node of the shown circuit alone. Costs one circuit each. */
  readonly knockOut?: boolean | undefined;
  /** Score with four times as many points on the path as well, and compare. */
  readonly igConvergence?: boolean | undefined;
  /** Knock subsets out of the shown circuit and of the model. Costs some hundred circuits, half of them nearly the whole model. */
  readonly completeness?: boolean | undefined;
  /** Other tasks, to hold the curve against circuits of equal size for all tasks together. Each is scored. */
  readonly otherTasks?: readonly OtherTask[] | undefined;
  /** Go on without pairs that the metric or the model cannot take, or whose scores are no numbers. */
  readonly skipBadPairs?: boolean | undefined;
  /**
   * Also scores every edge exactly, or a sample of so many, half of them by |score| and half drawn, to compare with. Costs one run per
   * edge and pair.
   */
  readonly compareWithExact?: boolean | { readonly edges: number; readonly seed: number } | undefined;
}

/** Gives the progress of a package a phase for the terminal. */
export function named(
  phase: string,
  onProgress: PipelineControls['onProgress'],
): ((progress: RunProgress) => void) | undefined {
  return onProgress && (({ unit, done, total }) => onProgress({ phase, unit, done, total }));
}

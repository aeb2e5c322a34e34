// One cell of the task table: a task under a metric, with every method's curve, its agreement with exact patching, and saturation.
import type { Agreement } from '@limn/attribution';
import type { MetricName, TaskFamily } from '@limn/tasks';

export const TABLE_METHODS = ['eap', 'eap-ig-inputs', 'exact'] as const;
export type TableMethod = (typeof TABLE_METHODS)[number];

export interface MethodCell {
  /** Faithfulness on held-out pairs at each headline size; absolute selection, pruned. */
  readonly points: readonly { readonly n: number; readonly kept: number; readonly faithfulness: number | null }[];
  /** Mean of f over the log axis of the sizes. */
  readonly logArea: number | null;
  readonly smallest85: number | null;
  readonly smallest95: number | null;
  /** Agreement of the scores with exact patching on the same pairs; null for exact itself and for EAP under KL, whose scores are round-off. */
  readonly agreement: Agreement | null;
}

export interface Cell {
  readonly task: TaskFamily;
  readonly metric: MetricName;
  readonly baselines: { readonly clean: number; readonly corrupted: number };
  /**
   * Σ |EAP score| / Σ |EAP-IG score| over all edges: the gradient at the clean input over its average on the path, seen through the same
   * changes. Near 0 the metric is saturated at the clean input, so that plain EAP sees little; null where the path gives nothing.
   */
  readonly gradientRatio: number | null;
  readonly methods: Readonly<Record<TableMethod, MethodCell>>;
  readonly seconds: number;
}

/** Everything that decides the numbers; cells of another table are not taken over. */
export interface TableHeader {
  readonly table: 'limn.task-table';
  readonly version: 1;
  readonly model: string;
  readonly weightsSha256: string;
  readonly pairs: number;
  readonly evalPairs: number;
  readonly seed: number;
  readonly igSteps: number;
  readonly igRule: string;
  readonly adapter: string;
  readonly limn: string;
}

export interface Table extends TableHeader {
  readonly cells: readonly Cell[];
}

// What is recorded of a training every few updates: loss, FVU, L0 and dead share of each dictionary, and now and then what it recovers.

/** One dictionary in one batch. */
export interface RecordedFigures {
  /** What is minimised, on scaled rows. */
  readonly loss: number;
  /** Σ‖e‖² / Σ‖y − ȳ‖² of the batch. */
  readonly fvu: number;
  /** Features that fire for a row, on average. */
  readonly l0: number;
  /** Share of features that have not fired for as long as makes them dead. */
  readonly deadShare: number;
  /** Of the cross-entropy that mean-ablation costs, at evaluations: see `evaluateDictionaries`. */
  readonly recovered?: number;
}

/** All dictionaries after some update. */
export interface TrainingRecord {
  /** Updates so far, and in all. */
  readonly update: number;
  readonly updates: number;
  /** By name. */
  readonly figures: Readonly<Record<string, RecordedFigures>>;
}

/** Numbers of a dictionary's figures in a row of the tensor that is read back. */
export const FIGURES = 4;

/** The record of figures [dictionaries, 4]: loss, FVU, L0, dead features. */
export function recordOf(
  values: Float32Array,
  trained: readonly { readonly name: string; readonly features: number }[],
  at: { readonly update: number; readonly updates: number },
  recovered?: readonly number[],
): TrainingRecord {
  const figures = trained.map(({ name, features }, i): [string, RecordedFigures] => {
    const [loss, fvu, l0, dead] = values.subarray(i * FIGURES, (i + 1) * FIGURES) as unknown as number[];
    return [
      name,
      {
        loss: loss as number,
        fvu: fvu as number,
        l0: l0 as number,
        deadShare: (dead as number) / features,
        ...(recovered ? { recovered: recovered[i] as number } : {}),
      },
    ];
  });
  return { ...at, figures: Object.fromEntries(figures) };
}

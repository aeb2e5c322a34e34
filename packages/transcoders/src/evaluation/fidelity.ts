// How well a model predicts with something in its MLPs' place, against the model as it is and against the MLPs ablated.

/** Of predictions of the next token. */
export interface Fidelity {
  /** Mean cross-entropy in nats. */
  readonly loss: number;
  /** Mean KL(original ‖ this) in nats. */
  readonly divergence: number;
  /** Share of tokens after which the likeliest next one is the original's. */
  readonly agreement: number;
}

/** What is lost with the outputs of some MLPs at their mean over the tokens, or at zero. */
export interface Ablations {
  /** The layers, all at once. */
  readonly layers: readonly number[];
  readonly mean: Fidelity;
  readonly zero: Fidelity;
  /** Nats that the mean in these MLPs' place costs: what there is to recover. */
  readonly cost: number;
}

/** Between an ablation and the original: 1 where nothing is lost, 0 where as much is as by ablating. */
export interface Recovered {
  /** (CE_ablated − CE) / (CE_ablated − CE_original). */
  readonly loss: number;
  /** (KL_ablated − KL) / KL_ablated. */
  readonly divergence: number;
}

/** Fidelity, and what of it an ablation would have lost. */
export interface ReplacementFigures extends Fidelity {
  /** Against the mean in the MLPs' place, as in arXiv 2406.11944, and against zeros. */
  readonly recovered: { readonly mean: Recovered; readonly zero: Recovered };
}

/** Sums over tokens, in float64. */
export interface FidelitySums {
  loss: number;
  divergence: number;
  agreed: number;
}

/** Means of sums over `tokens` predictions. */
export function fidelityOf({ loss, divergence, agreed }: FidelitySums, tokens: number): Fidelity {
  return { loss: loss / tokens, divergence: divergence / tokens, agreement: agreed / tokens };
}

/** A replacement beside the ablations of the same layers and the original's loss. */
export function replacementFigures(of: Fidelity, ablations: Ablations, originalLoss: number): ReplacementFigures {
  const against = (ablated: Fidelity): Recovered => ({
    loss: (ablated.loss - of.loss) / (ablated.loss - originalLoss),
    divergence: (ablated.divergence - of.divergence) / ablated.divergence,
  });
  return { ...of, recovered: { mean: against(ablations.mean), zero: against(ablations.zero) } };
}

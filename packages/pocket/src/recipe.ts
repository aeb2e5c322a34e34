// How pocket is trained: every number that the weights depend on. The same recipe and seed give the same weights on one adapter.
import { VOCABULARY } from '@limn/tasks';
import type { Mixture } from '@limn/tasks';

/** GPT-2 sizes: learned positions, tied embeddings, tanh-GELU, pre-LayerNorm with eps 1e-5, no dropout. */
export interface PocketConfig {
  readonly vocabulary: number;
  /** Learned positions, which is also the length of a training sequence. */
  readonly positions: number;
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
  readonly mlpWidth: number;
  readonly layerNormEpsilon: number;
}

/** AdamW with decoupled decay: θ ← θ − rate·(m̂ / (√v̂ + eps) + weightDecay·θ). */
export interface OptimizerGroup {
  /** 'matrices': embeddings, positions and every weight matrix. 'vectors': biases and LayerNorm gains. */
  readonly parameters: 'matrices' | 'vectors';
  readonly weightDecay: number;
}

/** Model, optimiser, schedule, initial weights and corpus of a training run; `M` says how often each kind of document comes. */
export interface Recipe<M = Mixture> {
  readonly model: PocketConfig;
  readonly optimizer: {
    readonly betas: readonly [number, number];
    readonly eps: number;
    readonly groups: readonly OptimizerGroup[];
    /** Gradients are scaled so that their global L2 norm is at most this. */
    readonly clipNorm: number;
  };
  readonly schedule: {
    readonly peakRate: number;
    readonly warmupSteps: number;
    /** The cosine ends at this fraction of the peak. */
    readonly finalFraction: number;
    readonly steps: number;
  };
  readonly init: {
    /** Matrices and embeddings are drawn from N(0, deviation²); biases are 0, LayerNorm gains 1. */
    readonly deviation: number;
    /** attn.c_proj and mlp.c_proj are drawn with deviation / √(2·layers). */
    readonly scaleResidualProjections: true;
    readonly seed: number;
  };
  readonly corpus: {
    readonly seed: number;
    /** Sequences per step, each of `model.positions` tokens. */
    readonly sequences: number;
    readonly mixture: M;
  };
}

/** The recipe of the weights in `model/`. */
export const RECIPE: Recipe = {
  model: {
    vocabulary: VOCABULARY.length,
    positions: 48,
    width: 64,
    layers: 3,
    heads: 4,
    mlpWidth: 256,
    layerNormEpsilon: 1e-5,
  },
  optimizer: {
    betas: [0.9, 0.98],
    eps: 1e-8,
    groups: [
      { parameters: 'matrices', weightDecay: 0.05 },
      { parameters: 'vectors', weightDecay: 0 },
    ],
    clipNorm: 1,
  },
  schedule: { peakRate: 4e-3, warmupSteps: 100, finalFraction: 0.05, steps: 6000 },
  init: { deviation: 0.08, scaleResidualProjections: true, seed: 0 },
  corpus: {
    seed: 0,
    sequences: 32,
    mixture: { ioi: 0.3, 'greater-than': 0.15, gender: 0.06, sva: 0.11, 'country-capital': 0.28, hypernymy: 0.1 },
  },
};

/** Tokens seen by the whole training. */
export function tokensOf(recipe: Recipe<unknown>): number {
  return recipe.schedule.steps * recipe.corpus.sequences * recipe.model.positions;
}

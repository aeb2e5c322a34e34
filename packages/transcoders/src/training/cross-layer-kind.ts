// A cross-layer transcoder as a trainee: all its layers are one.
import type { Gpu, Step } from '@limn/gpu';
import { blockHook, type HookName } from '@limn/hooks';
import { scale, sumAll, type Tensor } from '@limn/tensor';
import { layerConfig, trainedCrossLayerNames } from '../cross-layer/cross-layer-config.js';
import { CrossLayerDictionary } from '../cross-layer/cross-layer-dictionary.js';
import { initialCrossLayerWeights } from '../cross-layer/cross-layer-initial.js';
import { recordCrossLayerStep } from '../cross-layer/cross-layer-step.js';
import type { CrossLayerWeights } from '../formats/cross-layer-set.js';
import type { DictionaryLoss } from '../losses/dictionary-loss.js';
import type { DictionaryTrainingState } from '../training-state.js';
import { scaledMeans, scalesOf, type RunStatistics } from './data-scales.js';
import type { SettledCrossLayerSpec } from './train-options.js';
import type { Loaded, RecordedUpdate, TraineeKind } from './trainee.js';

/** One cross-layer transcoder. */
export class CrossLayerKind implements TraineeKind<readonly CrossLayerWeights[]> {
  readonly #dictionary: CrossLayerDictionary;

  /** Owns one with the first weights of its spec. @throws LimnError `usage/dictionary-initial`; `gpu/…` when the GPU has no room */
  constructor(
    gpu: Gpu,
    readonly spec: SettledCrossLayerSpec,
    statistics: RunStatistics,
  ) {
    const { crossLayer: config, seed, threshold } = spec;
    const means = this.counted.map((each) => scaledMeans(each, statistics).y);
    this.#dictionary = CrossLayerDictionary.create(
      gpu,
      config,
      initialCrossLayerWeights(config, { seed, means, threshold }),
    );
  }

  get parameters(): ReadonlyMap<string, Tensor> {
    return this.#dictionary.parameters;
  }

  get trained(): readonly string[] {
    return trainedCrossLayerNames(this.spec.crossLayer);
  }

  get counted(): readonly ReturnType<typeof layerConfig>[] {
    const { crossLayer: config } = this.spec;
    return Array.from({ length: config.layers }, (_, layer) => layerConfig(config, layer));
  }

  record(
    step: Step,
    rows: ReadonlyMap<HookName, Tensor>,
    loss: DictionaryLoss,
    states: readonly DictionaryTrainingState[],
  ): RecordedUpdate {
    const at = (sites: readonly HookName[]): Tensor[] => sites.map((site) => rows.get(site) as Tensor);
    const batch = {
      x: at(this.#dictionary.encoders.map(({ reads }) => reads)),
      y: at(this.#dictionary.encoders.map((_, layer) => blockHook(layer, 'hook_mlp_out'))),
    };
    const { deadAfter, crossLayer } = this.spec;
    const recorded = recordCrossLayerStep(step, this.#dictionary, batch, { loss, deadAfter }, states);
    const meanOf = (byLayer: Tensor): Tensor => scale(step, sumAll(step, byLayer), 1 / crossLayer.layers);
    return {
      loss: recorded.loss,
      fvu: meanOf(recorded.fvu),
      l0: meanOf(recorded.l0),
      dead: sumAll(step, recorded.dead),
      gradients: recorded.gradients,
    };
  }

  async weights(statistics: RunStatistics): Promise<readonly CrossLayerWeights[]> {
    const scales = this.counted.map((config) => scalesOf(config, statistics));
    return unscaledAcross(await this.#dictionary.weights(), scales);
  }

  load(weights: readonly CrossLayerWeights[]): Loaded {
    return { crossLayer: CrossLayerDictionary.create(this.#dictionary.gpu, this.spec.crossLayer, weights) };
  }

  [Symbol.dispose](): void {
    this.#dictionary.dispose();
  }
}

/**
 * The cross-layer transcoder of unscaled rows that does what `weights` do on scaled ones, with s_x and s_y of each layer: a_i = a_i' / s_y,i,
 * so that W_enc,i = W_enc,i'·s_x,i / s_y,i, b_enc,i = b_enc,i' / s_y,i, θ_i = θ_i' / s_y,i, W_dec,i→l = W_dec,i→l'·s_y,i / s_y,l,
 * b_dec,l = b_dec,l' / s_y,l.
 */
export function unscaledAcross(
  weights: readonly CrossLayerWeights[],
  scales: readonly { readonly x: number; readonly y: number }[],
): CrossLayerWeights[] {
  return weights.map(({ layer, wEnc, bEnc, bDec, wDec, threshold }) => {
    const [L, d] = [weights.length, bDec.length];
    const { x, y } = scales[layer] as { readonly x: number; readonly y: number };
    const times = (values: Float32Array, factor: number): Float32Array => values.map((value) => value * factor);
    return {
      layer,
      wEnc: times(wEnc, x / y),
      bEnc: times(bEnc, 1 / y),
      bDec: times(bDec, 1 / y),
      wDec: wDec.map((value, at) => {
        const to = layer + (Math.floor(at / d) % (L - layer));
        return (value * y) / (scales[to]?.y as number);
      }),
      ...(threshold ? { threshold: times(threshold, 1 / y) } : {}),
    };
  });
}

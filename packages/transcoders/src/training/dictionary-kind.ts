// A dictionary as a trainee.
import type { Gpu, Step } from '@limn/gpu';
import { blockHook, type HookName } from '@limn/hooks';
import type { Tensor } from '@limn/tensor';
import { Dictionary, type DictionaryWeights } from '../dictionary.js';
import { initialWeights } from '../initial-weights.js';
import type { DictionaryLoss } from '../losses/dictionary-loss.js';
import type { DictionaryTrainingState } from '../training-state.js';
import { recordDictionaryStep, trainedNames } from '../training-step.js';
import { scaledMeans, scalesOf, unscaled, type RunStatistics } from './data-scales.js';
import type { SettledDictionarySpec } from './train-options.js';
import type { Loaded, RecordedUpdate, TraineeKind } from './trainee.js';

/** One dictionary. */
export class DictionaryKind implements TraineeKind<DictionaryWeights> {
  readonly #dictionary: Dictionary;

  /** Owns a dictionary with the first weights of its spec. @throws LimnError `usage/dictionary-initial`; `gpu/…` when the GPU has no room */
  constructor(
    gpu: Gpu,
    readonly spec: SettledDictionarySpec,
    statistics: RunStatistics,
  ) {
    const { config, seed, initial } = spec;
    const weights = initialWeights(config, { seed, scheme: initial, means: scaledMeans(config, statistics) });
    this.#dictionary = Dictionary.create(gpu, config, weights);
  }

  get parameters(): ReadonlyMap<string, Tensor> {
    return this.#dictionary.parameters;
  }

  get trained(): readonly string[] {
    return trainedNames(this.spec.config);
  }

  get counted(): readonly SettledDictionarySpec['config'][] {
    return [this.spec.config];
  }

  record(
    step: Step,
    rows: ReadonlyMap<HookName, Tensor>,
    loss: DictionaryLoss,
    [state]: readonly DictionaryTrainingState[],
  ): RecordedUpdate {
    const { unitDecoder, deadAfter, config } = this.spec;
    const x = rows.get(this.#dictionary.reads) as Tensor;
    const y = rows.get(blockHook(config.layer, 'hook_mlp_out')) as Tensor;
    const settings = { loss, unitDecoder, deadAfter };
    return recordDictionaryStep(step, this.#dictionary, { x, y }, settings, state as DictionaryTrainingState);
  }

  async weights(statistics: RunStatistics): Promise<DictionaryWeights> {
    const { config } = this.spec;
    return unscaled(config, await this.#dictionary.weights(), scalesOf(config, statistics));
  }

  load(weights: DictionaryWeights): Loaded {
    return { dictionary: Dictionary.create(this.#dictionary.gpu, this.spec.config, weights) };
  }

  [Symbol.dispose](): void {
    this.#dictionary.dispose();
  }
}

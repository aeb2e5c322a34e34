// The neurons of an MLP as a dictionary: of every token the k that write most, |a_m − r_m| · ‖w_out,m‖, are kept, the others take r_m.
import * as shaders from '@limn/shaders';
import { defineKernel, LimnError, type Step } from '@limn/gpu';
import { blockHook, intervene, linearMap, type Extent, type HookedModel, type Intervention } from '@limn/hooks';
import {
  abs,
  allocate,
  detach,
  dot,
  fill,
  keep,
  MAX_TOP_K,
  mul,
  perElement,
  persistent,
  reshape,
  sqrt,
  sub,
  topK,
  type Tensor,
} from '@limn/tensor';

const kernel = defineKernel(shaders.keepLargest, { grid: perElement, work: (u) => u.size });

/** How many neurons of a layer are kept, and what becomes of the others. */
export interface NeuronBaseline {
  readonly layer: number;
  /** At most 64. */
  readonly k: number;
  /** `zero`: the others write nothing. `mean`: they stay at their mean, and what is far from it is kept. */
  readonly rest: 'zero' | 'mean';
}

/** |a_m − r_m| · ‖w_out,m‖ of a layer's neurons, and an MLP that has only the k largest of each token. */
export class TopNeurons implements Disposable {
  /** ‖w_out,m‖ [M] */
  readonly #norms: Tensor;
  /** r [M] */
  readonly #rest: Tensor;

  private constructor(
    readonly baseline: NeuronBaseline,
    norms: Tensor,
    rest: Tensor,
  ) {
    this.#norms = norms;
    this.#rest = rest;
  }

  /**
   * `means` [M] are the neurons' mean activations, of `rest: 'mean'`.
   * @throws LimnError `usage/dictionary-neurons` for a layer or a k that the model has not, `hooks/unknown-site`
   */
  static async create(model: HookedModel, baseline: NeuronBaseline, means?: Float32Array): Promise<TopNeurons> {
    const { layer, k, rest } = baseline;
    const { layers, mlpWidth } = model.info;
    const most = Math.min(mlpWidth, MAX_TOP_K);
    if (!(Number.isInteger(layer) && layer >= 0 && layer < layers && Number.isInteger(k) && k >= 1 && k <= most))
      throw new LimnError('usage/dictionary-neurons', `There is no baseline of ${k} neurons in layer ${layer}.`, {
        details: { layer, k, layers, most },
        hint: `Give a layer from 0 to ${layers - 1} and a k from 1 to ${most}.`,
      });
    const output = model.linears().find(({ input }) => input === blockHook(layer, 'mlp.hook_post'));
    if (!output)
      throw new LimnError(
        'hooks/unknown-site',
        `The model names no linear map that reads the neurons of layer ${layer}.`,
        {
          details: { layer },
          hint: 'linears() lists a map whose input is mlp.hook_post.',
        },
      );
    const step = model.gpu.step({ label: 'norms of neurons' });
    try {
      const { weight } = linearMap(step, model, output);
      const norms = keep(step, sqrt(step, dot(step, weight, weight, { axes: 1 })));
      await step.submit();
      const values = rest === 'mean' ? means : new Float32Array(mlpWidth);
      return new TopNeurons(baseline, norms, persistent(model.gpu, [mlpWidth], values, { label: 'neurons at rest' }));
    } finally {
      step.dispose();
    }
  }

  /** What the k kept neurons of each row of a [N, M] score, 0 for the others, [N, M]. */
  scores(step: Step, a: Tensor): Tensor {
    const score = this.#scored(step, a);
    return this.#largest(step, score, score, fill(step, [a.shape[1] as number], 0, 'others'));
  }

  /** The MLP with only its k largest neurons. */
  restriction(extent: Extent = {}): Intervention {
    const { layer, k } = this.baseline;
    return intervene(
      blockHook(layer, 'mlp.hook_post'),
      `keep ${k} neurons of`,
      (x, { step }) => {
        const M = x.shape.at(-1) as number;
        const a = reshape(detach(x), [x.size / M, M]);
        return reshape(this.#largest(step, this.#scored(step, a), a, this.#rest), x.shape);
      },
      extent,
    );
  }

  /** Frees its tensors. */
  dispose(): void {
    this.#norms.dispose();
    this.#rest.dispose();
  }

  /** `dispose`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  #scored(step: Step, a: Tensor): Tensor {
    return mul(step, abs(step, sub(step, a, this.#rest)), this.#norms);
  }

  #largest(step: Step, score: Tensor, x: Tensor, rest: Tensor): Tensor {
    const { k } = this.baseline;
    const { values } = topK(step, score, k);
    const y = allocate(step, x.shape, `the ${k} largest`);
    const bindings = {
      score: score.storage,
      largest: values.storage,
      x: x.storage,
      rest: rest.storage,
      y: y.storage,
    };
    step.dispatch(kernel, bindings, { size: x.size, width: x.shape[1] as number, k });
    return y;
  }
}

// A dictionary on the GPU: h = x·W_encᵀ + b_enc, a = φ(h), ŷ = a·W_dec + b_dec (+ x·W_skip).
import { LimnError, type Gpu, type Step } from '@limn/gpu';
import { blockHook, intervene, replaceMlp, type Extent, type HookName, type Intervention } from '@limn/hooks';
import { add, concat, matmul, persistent, reshape, sparseDecode, Tensor, type SparseCodes } from '@limn/tensor';
import { checkTensors } from './checked-tensors.js';
import { checkConfig, hasThreshold, type DictionaryConfig } from './dictionary-config.js';
import {
  activationsOf,
  denseOf,
  preActivationsOf,
  type Activations,
  type EncodeOptions,
  type EncoderTensors,
  type FeatureEncoder,
} from './encoder.js';
import { partsOf, rowRange, rowsPerBinding } from './row-parts.js';

/**
 * The numbers of a dictionary on the host, row-major; both matrices have a feature to a row. An encoder that subtracts a bias from its
 * input first, (x − b_pre)·W_encᵀ + b, has b_enc = b − b_pre·W_encᵀ here.
 */
export interface DictionaryWeights {
  /** [F, I] */
  readonly wEnc: Float32Array;
  /** [F] */
  readonly bEnc: Float32Array;
  /** [F, O] */
  readonly wDec: Float32Array;
  /** [O] */
  readonly bDec: Float32Array;
  /** log θ [F], of `jump-relu` and `batch-top-k`. */
  readonly logThreshold?: Float32Array;
  /** [I, O] */
  readonly wSkip?: Float32Array;
}

/** Names of a dictionary's tensors. */
export type DictionaryTensorName = keyof DictionaryWeights;

/** Shapes of the tensors that a dictionary of this config has, in the order in which they are kept. */
export function dictionaryShapes(config: DictionaryConfig): ReadonlyMap<DictionaryTensorName, readonly number[]> {
  const { features: F, inputWidth: I, outputWidth: O, activation, skip } = config;
  return new Map<DictionaryTensorName, readonly number[]>([
    ['wEnc', [F, I]],
    ['bEnc', [F]],
    ['wDec', [F, O]],
    ['bDec', [O]],
    ...(hasThreshold(activation) ? ([['logThreshold', [F]]] as const) : []),
    ...(skip ? ([['wSkip', [I, O]]] as const) : []),
  ]);
}

/** A dictionary whose tensors are parameters: targets of `gradients` in training, constants elsewhere. */
export class Dictionary implements FeatureEncoder, Disposable {
  /** By name; those of `dictionaryShapes`. */
  readonly parameters: ReadonlyMap<DictionaryTensorName, Tensor>;

  private constructor(
    readonly gpu: Gpu,
    readonly config: DictionaryConfig,
    weights: DictionaryWeights,
  ) {
    const made = new Map<DictionaryTensorName, Tensor>();
    try {
      for (const [name, shape] of dictionaryShapes(config))
        made.set(name, persistent(gpu, shape, weights[name], { label: `layer ${config.layer} ${name}` }));
    } catch (error) {
      for (const tensor of made.values()) tensor.dispose();
      throw error;
    }
    this.parameters = made;
  }

  /**
   * @throws LimnError `usage/dictionary-config`; `data/dictionary-weights` for tensors that are missing, of another size or not finite;
   * `memory/…` and `gpu/…` when the GPU has no room
   */
  static create(gpu: Gpu, config: DictionaryConfig, weights: DictionaryWeights): Dictionary {
    const shapes = dictionaryShapes(checkConfig(config));
    checkTensors({ ...weights }, { shapes, of: 'a dictionary', layer: config.layer });
    return new Dictionary(gpu, config, weights);
  }

  /** One of the tensors that every dictionary has. */
  tensor(name: 'wEnc' | 'bEnc' | 'wDec' | 'bDec'): Tensor {
    return this.parameters.get(name) as Tensor;
  }

  /** log θ [F], where features have thresholds. */
  get logThreshold(): Tensor | undefined {
    return this.parameters.get('logThreshold');
  }

  get decoders(): readonly Tensor[] {
    return [this.tensor('wDec')];
  }

  get #encoder(): EncoderTensors {
    const [wEnc, bEnc] = [this.tensor('wEnc'), this.tensor('bEnc')];
    return { wEnc, bEnc, logThreshold: this.logThreshold };
  }

  /** The site it reads. */
  get reads(): HookName {
    return blockHook(this.config.layer, this.config.input);
  }

  /** h [N, F] of x [N, I]. */
  preActivations(step: Step, x: Tensor): Tensor {
    return preActivationsOf(step, this.#encoder, x);
  }

  /** a [N, F] of x [N, I], dense and on the tape. */
  encode(step: Step, x: Tensor, options: EncodeOptions = {}): Tensor {
    return denseOf(step, this.activations(step, x, options));
  }

  /**
   * Activations of x [N, I], on the tape: as codes where the activation itself keeps few (`top-k`, and `batch-top-k` in training), so that
   * no [N, F] is ever held; else h and a [N, F].
   */
  activations(step: Step, x: Tensor, options: EncodeOptions = {}): Activations {
    return activationsOf(step, this.#encoder, this.config.activation, x, options);
  }

  /**
   * ŷ [N, O] of a [N, F] or of codes, and of x [N, I] where there is a skip connection.
   * @throws LimnError `usage/dictionary-skip`
   */
  decode(step: Step, a: Tensor | SparseCodes, x?: Tensor): Tensor {
    const [wDec, bDec] = [this.tensor('wDec'), this.tensor('bDec')];
    const y =
      a instanceof Tensor ? matmul(step, a, wDec, { bias: bDec, label: 'decoded' }) : sparseDecode(step, a, wDec, bDec);
    const skip = this.parameters.get('wSkip');
    if (!skip) return y;
    if (x) return add(step, y, matmul(step, x, skip, { label: 'skip' }));
    throw new LimnError(
      'usage/dictionary-skip',
      'This dictionary has a skip connection: decoding takes its input too.',
      {
        hint: 'Give x as the third argument of decode, or use apply.',
      },
    );
  }

  /**
   * ŷ [..., O] of x [..., I]; with h and a for at most `rowsAtOnce` rows at a time, by default as many as a binding takes.
   * @throws LimnError `usage/dictionary-skip`
   */
  apply(step: Step, x: Tensor, { rowsAtOnce }: { readonly rowsAtOnce?: number } = {}): Tensor {
    const { inputWidth, outputWidth, features, activation } = this.config;
    const rows = reshape(x, [x.size / inputWidth, inputWidth]);
    const count = rows.shape[0] as number;
    const most = rowsAtOnce ?? (activation.kind === 'top-k' ? count : rowsPerBinding(this.gpu, features));
    const parts = partsOf(count, most).map(([start, length]) => {
      const part = rowRange(step, rows, start, length);
      const { codes, a } = this.activations(step, part);
      return this.decode(step, codes ?? a, part);
    });
    const y = parts.length === 1 ? (parts[0] as Tensor) : concat(step, parts, 0);
    return reshape(y, [...x.shape.slice(0, -1), outputWidth]);
  }

  /**
   * Puts ŷ in the place of the MLP's output: what is replaced composes with every other intervention.
   * @throws LimnError `usage/dictionary-config`, `usage/dictionary-skip`
   */
  replacement(extent: Extent = {}): Intervention {
    const { layer, input } = this.config;
    const label = `a dictionary of ${this.config.features} features`;
    if (input === 'hook_mlp_out')
      return intervene(
        blockHook(layer, 'hook_mlp_out'),
        `rebuild with ${label}`,
        (y, { step }) => this.apply(step, y),
        extent,
      );
    return replaceMlp(layer, { label, input, apply: (step, x) => this.apply(step, x) }, extent);
  }

  /** The numbers, read after the steps submitted so far. */
  async weights(): Promise<DictionaryWeights> {
    const read = await Promise.all(
      [...this.parameters].map(async ([name, { storage }]) => [name, await this.gpu.read(storage, 'f32')] as const),
    );
    return Object.fromEntries(read) as unknown as DictionaryWeights;
  }

  /** Frees the parameters. */
  dispose(): void {
    for (const tensor of this.parameters.values()) tensor.dispose();
  }

  /** As `dispose`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

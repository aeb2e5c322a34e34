// TransformerLens's weight processing: LayerNorm folded into what reads it, writing weights and unembedding centred, value biases folded.
// Every sum is in float64 and every new weight is rounded to f32 once.
import { LimnError, shownValue } from '@limn/gpu';
import type { Gpt2Config } from './config.js';
import type { HostTensor } from './weight-names.js';

/**
 * What is done to weights between the file and the GPU; nothing by default. With x̂ = (x − mean)/s, whose mean over C is 0:
 * all but `centerUnembed` leave every logit as it is, up to rounding.
 */
export interface WeightProcessing {
  /**
   * γ and β of every LayerNorm go into the map that reads it: W' = γ∘W − mean over C of γ∘W (which x̂ does not see), b' = b + β·W. LayerNorm is
   * left with γ = 1, β = 0, and the unembedding gets a bias, `lm_head.bias` = W_U β.
   */
  readonly foldLayerNorm?: boolean;
  /** Whatever is added to the residual stream loses its mean over C, which every LayerNorm subtracts anyway: wte, wpe, W_O, b_O, W_out, b_out. */
  readonly centerWritingWeights?: boolean;
  /** W_U and its bias lose their mean over the vocabulary: all logits of a position move by one constant, and log-softmax stays. */
  readonly centerUnembed?: boolean;
  /** b_O' = b_O + b_V·W_O and b_V' = 0, since the pattern's rows sum to 1. */
  readonly foldValueBiases?: boolean;
}

/** What TransformerLens does to GPT-2 unless told otherwise (`from_pretrained` in 1.x and 2.x, compatibility mode in 3.x). */
export const transformerLensProcessing: Required<WeightProcessing> = {
  foldLayerNorm: true,
  centerWritingWeights: true,
  centerUnembed: true,
  foldValueBiases: true,
};

const names = Object.keys(transformerLensProcessing) as (keyof WeightProcessing)[];

/** A weight and its values. */
export type NamedTensor = readonly [name: string, tensor: HostTensor];

/** Gives a weight of the source; the array is the caller's to change. */
export type ReadWeight = (name: string) => Promise<HostTensor>;

/**
 * The names of what is switched on, in order.
 * @throws LimnError `weights/bad-processing` for an unknown name or a value that is neither true nor false.
 */
export function processingNames(processing: WeightProcessing): (keyof WeightProcessing)[] {
  if (typeof processing !== 'object' || processing === null || Array.isArray(processing)) {
    throw new LimnError('weights/bad-processing', `processing is ${shownValue(processing)}; allowed: an object`, {
      details: { given: shownValue(processing), allowed: names },
      hint: `Its fields, each true or false: ${names.join(', ')}.`,
    });
  }
  const wrong = Object.entries(processing).find(
    ([name, value]) => !names.includes(name as never) || !(value === undefined || typeof value === 'boolean'),
  );
  if (wrong) {
    throw new LimnError('weights/bad-processing', `processing has ${wrong[0]}: ${JSON.stringify(wrong[1])}`, {
      details: { given: wrong[0], allowed: names },
      hint: `Allowed, each true or false: ${names.join(', ')}.`,
    });
  }
  return names.filter((name) => processing[name]);
}

/** Whether the unembedding is still the token embedding: every change to one of the two alone gives it a copy of its own. */
export function staysTied(tied: boolean, p: WeightProcessing): boolean {
  return tied && !p.foldLayerNorm && !p.centerWritingWeights && !p.centerUnembed;
}

/**
 * The processed weights by name, one after another in the order of the file format. Beside the one that was just given, no more than
 * the biases of one layer are held.
 */
export async function* processWeights(
  config: Gpt2Config,
  tied: boolean,
  processing: WeightProcessing,
  read: ReadWeight,
): AsyncGenerator<NamedTensor> {
  const { foldLayerNorm, centerWritingWeights, centerUnembed, foldValueBiases } = processing;
  const C = config.width;
  /** A tensor that is added to the stream; C is its last axis. */
  const written = (tensor: HostTensor): HostTensor => {
    if (centerWritingWeights) centreRows(tensor.data, C);
    return tensor;
  };
  const biasOf = async (name: string): Promise<Float64Array> => Float64Array.from((await read(name)).data);
  const normOf = async (name: string): Promise<Norm> => ({
    gamma: (await read(`${name}.weight`)).data,
    beta: (await read(`${name}.bias`)).data,
  });
  const normAfter = (name: string, { gamma, beta }: Norm): NamedTensor[] => [
    [`${name}.weight`, { shape: [C], data: foldLayerNorm ? new Float32Array(C).fill(1) : gamma }],
    [`${name}.bias`, { shape: [C], data: foldLayerNorm ? new Float32Array(C) : beta }],
  ];
  /** The map behind a norm, which it takes in; gives the bias, unrounded. */
  async function* reading(name: string, ln: Norm, values: boolean): AsyncGenerator<NamedTensor, Float64Array> {
    const weight = await read(`${name}.weight`);
    const bias = await biasOf(`${name}.bias`);
    if (foldLayerNorm) foldIntoLinear(weight.data, bias, ln);
    yield [`${name}.weight`, weight];
    yield [`${name}.bias`, rounded(values ? bias.map((b, i) => (i < 2 * C ? b : 0)) : bias)];
    return bias;
  }
  /** The map into the stream; `values` [in] is what its input gets from a bias that was taken away. */
  async function* writing(name: string, values?: Float64Array): AsyncGenerator<NamedTensor> {
    const weight = await read(`${name}.weight`);
    const bias = await biasOf(`${name}.bias`);
    if (values) addProduct(bias, values, weight.data);
    yield [`${name}.weight`, written(weight)];
    if (centerWritingWeights) centreRows(bias, C);
    yield [`${name}.bias`, rounded(bias)];
  }

  yield ['wte.weight', written(await read('wte.weight'))];
  yield ['wpe.weight', written(await read('wpe.weight'))];
  for (let l = 0; l < config.layers; l++) {
    const h = `h.${l}.`;
    const ln1 = await normOf(`${h}ln_1`);
    yield* normAfter(`${h}ln_1`, ln1);
    const bias = yield* reading(`${h}attn.c_attn`, ln1, foldValueBiases === true);
    yield* writing(`${h}attn.c_proj`, foldValueBiases ? bias.subarray(2 * C) : undefined);
    const ln2 = await normOf(`${h}ln_2`);
    yield* normAfter(`${h}ln_2`, ln2);
    yield* reading(`${h}mlp.c_fc`, ln2, false);
    yield* writing(`${h}mlp.c_proj`);
  }
  const ln = await normOf('ln_f');
  yield* normAfter('ln_f', ln);
  if (staysTied(tied, processing)) return;
  const head = await read(tied ? 'wte.weight' : 'lm_head.weight');
  const headBias = unembedding(head.data, foldLayerNorm ? ln : undefined, centerUnembed === true, C);
  yield ['lm_head.weight', head];
  if (headBias) yield ['lm_head.bias', rounded(headBias)];
}

interface Norm {
  readonly gamma: Float32Array;
  readonly beta: Float32Array;
}

function rounded(values: Float64Array): HostTensor {
  return { shape: [values.length], data: Float32Array.from(values) };
}

function mean(values: ArrayLike<number>, start: number, count: number): number {
  let sum = 0;
  for (let i = start; i < start + count; i++) sum += values[i] as number;
  return sum / count;
}

/** x[r, c] −= mean over c of x[r, c], in place. */
function centreRows(x: Float32Array | Float64Array, width: number): void {
  for (let row = 0; row < x.length; row += width) {
    const centre = mean(x, row, width);
    for (let i = row; i < row + width; i++) x[i] = (x[i] as number) - centre;
  }
}

/** b += β·W, then W = γ∘W − mean over rows of γ∘W, in place; W [in, out]. */
function foldIntoLinear(w: Float32Array, b: Float64Array, { gamma, beta }: Norm): void {
  const out = b.length;
  const means = new Float64Array(out);
  for (const [r, g] of gamma.entries()) {
    const shift = beta[r] as number;
    for (let c = 0; c < out; c++) {
      const value = w[r * out + c] as number;
      b[c] = (b[c] as number) + shift * value;
      means[c] = (means[c] as number) + (g * value) / gamma.length;
    }
  }
  for (const [r, g] of gamma.entries())
    for (let c = 0; c < out; c++) w[r * out + c] = g * (w[r * out + c] as number) - (means[c] as number);
}

/** into[c] += Σ_r x[r]·w[r, c]. */
function addProduct(into: Float64Array, x: Float64Array, w: Float32Array): void {
  for (const [r, value] of x.entries())
    for (let c = 0; c < into.length; c++) into[c] = (into[c] as number) + value * (w[r * into.length + c] as number);
}

/**
 * W_U [V, C] in place: rows times γ less their mean, if there is a norm to fold, then less the mean row, if `centre`. The bias is W_U β of the
 * norm, less its mean if `centre`.
 */
function unembedding(w: Float32Array, norm: Norm | undefined, centre: boolean, C: number): Float64Array | undefined {
  const V = w.length / C;
  const scaled = (row: number, c: number): number =>
    norm ? (w[row + c] as number) * (norm.gamma[c] as number) : (w[row + c] as number);
  const rowMeans = new Float64Array(V);
  const meanRow = new Float64Array(C);
  const bias = norm && new Float64Array(V);
  for (let v = 0; v < V; v++) {
    const row = v * C;
    let [sum, shift] = [0, 0];
    for (let c = 0; c < C; c++) {
      sum += scaled(row, c);
      if (norm) shift += (w[row + c] as number) * (norm.beta[c] as number);
    }
    if (bias) {
      rowMeans[v] = sum / C;
      bias[v] = shift;
    }
    if (centre)
      for (let c = 0; c < C; c++) meanRow[c] = (meanRow[c] as number) + (scaled(row, c) - (rowMeans[v] as number)) / V;
  }
  for (let v = 0; v < V; v++) {
    const row = v * C;
    for (let c = 0; c < C; c++) w[row + c] = scaled(row, c) - (rowMeans[v] as number) - (meanRow[c] as number);
  }
  if (bias && centre) centreRows(bias, V);
  return bias;
}

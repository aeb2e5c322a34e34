// Steering that holds for every token, folded into a model's weights: the same logits, at no cost in a run.
import { LimnError } from '@limn/gpu';
import { blockHook, type HookedModel, type HookName, type LinearSite } from '@limn/hooks';
import { Tensor, unpackF16 } from '@limn/tensor';
import type { ActivScalar, SteeringMethod } from './method.js';
import { steeredPlaces, type SteeredPlace } from './sites.js';
import type { SteeringValues } from './steering.js';
import { expectModel, valuesAt } from './steering-values.js';

/** A parameter with other numbers. */
export interface BakedParameter {
  /** As the model has it. */
  readonly shape: readonly number[];
  /** In the model's own layout, f32; f16 weights were widened, and rounding these to f16 again costs its usual 2⁻¹¹. */
  readonly data: Float32Array;
}

/** A weight W and its bias b on the host, in float64 until all is folded. */
interface Folding {
  readonly linear: LinearSite;
  readonly weight: Float64Array;
  readonly bias: Float64Array | undefined;
  readonly changed: { weight: boolean; bias: boolean };
}

/** A site of a linear map: what it reads, or (one of) what it writes. */
interface Beside {
  readonly side: 'input' | 'output';
  readonly at: HookName;
}

/**
 * The parameters that a model is to have instead of its own, by name in `model.parameters()`, for its runs to be those of the values at this
 * strength β: γ(βα) of what a map reads is folded into the rows of W, γ of what it writes into the columns of W and into b, and vectors into
 * b: b + βvW behind `attn.hook_z` and `mlp.hook_post`, b + βv at `hook_attn_out` and `hook_mlp_out`; a vector of the residual stream goes into
 * the bias of what is added to it last. Sums are in float64, rounded to f32 once. The prompt and generated tokens are both reached, as they
 * are by the interventions of such values.
 * @throws LimnError `usage/steering-bake` for methods, sites and positions that no weight stands for, and for vectors where there is no bias;
 * `data/steering-fingerprint`, `data/steering-values`, `usage/steering-site`, `usage/steering-layer`, `gpu/…`
 */
export async function bakeScales(
  model: HookedModel,
  values: SteeringValues,
  strength = 1,
): Promise<ReadonlyMap<string, BakedParameter>> {
  const { method, positions } = values.spec;
  expectModel(values, model.info.fingerprint);
  if (!Number.isFinite(strength)) throw cannotBake(`a strength of ${strength}`, 'it is to be a finite number');
  if (positions.mode !== 'none' || positions.skip > 0)
    throw cannotBake(
      positions.mode === 'none'
        ? `values that leave the first ${positions.skip} positions alone`
        : `values by position '${positions.mode}'`,
      'weights are the same at every position',
    );
  const edit = editOf(method, strength);
  const foldings = new Map<string, Folding>();
  for (const place of steeredPlaces(model.info, values.spec)) {
    const { side, at } = mapBeside(place, model.info.architecture, method.kind === 'steer-vec');
    const linear = model
      .linears()
      .find(({ input, outputs }) => (side === 'input' ? input === at : outputs.includes(at)));
    if (!linear) throw cannotBake(`'${place.at}'`, `${model.info.architecture} names no linear map with ${at}`);
    const folding = foldings.get(linear.name) ?? (await readFolding(model, linear));
    foldings.set(linear.name, folding);
    edit(folding, { side, at }, values, place);
  }
  const baked = new Map<string, BakedParameter>();
  for (const { linear, weight, bias, changed } of foldings.values()) {
    if (changed.weight) baked.set(`${linear.name}.weight`, roundedAs(model, `${linear.name}.weight`, weight));
    if (bias && changed.bias) baked.set(`${linear.name}.bias`, roundedAs(model, `${linear.name}.bias`, bias));
  }
  return baked;
}

/** What a method does to a map, or the refusal of one that is no edit of a map. */
function editOf(
  method: SteeringMethod,
  strength: number,
): (folding: Folding, beside: Beside, values: SteeringValues, place: SteeredPlace) => void {
  switch (method.kind) {
    case 'activ-scalar':
      return (folding, beside, values, { at, units }) =>
        scaleBy(folding, beside, valuesAt(values, at, 'alpha', [1, units]), factorOf(method, strength));
    case 'dimension-scale':
      return (folding, beside, values, { at, elements }) =>
        scaleBy(folding, beside, valuesAt(values, at, 'alpha', [1, elements]), (a) => 1 + strength * a);
    case 'steer-vec':
      return (folding, beside, values, { at, elements }) =>
        addVector(folding, beside, valuesAt(values, at, 'vector', [1, elements]), strength);
    case 'subspace-scale':
      throw cannotBake(
        `'${method.kind}'`,
        'it mixes dimensions; only factors of single dimensions and vectors are folded',
      );
    case 'dyn-scalar':
    case 'gated-scalar':
      throw cannotBake(`'${method.kind}'`, 'its factors depend on the activation, and weights do not');
  }
}

/** The site of a linear map that stands for a place. */
function mapBeside({ site, layer, at }: SteeredPlace, architecture: string, vectors: boolean): Beside {
  switch (site) {
    case 'attn.hook_z':
    case 'mlp.hook_post':
      return { side: 'input', at };
    case 'hook_attn_out':
    case 'hook_mlp_out':
      return { side: 'output', at };
  }
  if (!vectors) throw cannotBake(`factors at '${site}'`, 'the residual stream is a sum, and no single weight makes it');
  if (site === 'hook_resid_mid') return { side: 'output', at: blockHook(layer, 'hook_attn_out') };
  const block = site === 'hook_resid_pre' ? layer - 1 : layer;
  if (block < 0)
    throw cannotBake(`a vector at '${at}'`, `only embeddings enter block 0 of ${architecture}, and they have no bias`);
  return { side: 'output', at: blockHook(block, 'hook_mlp_out') };
}

/** γ(βα) as the kernel has it. */
function factorOf({ form = 'linear', bound = 3 }: ActivScalar, strength: number): (alpha: number) => number {
  if (form === 'exponential') return (alpha) => Math.exp(strength * alpha);
  if (form === 'bounded') return (alpha) => 1 + bound * Math.tanh((strength * alpha) / bound);
  return (alpha) => 1 + strength * alpha;
}

async function readFolding(model: HookedModel, linear: LinearSite): Promise<Folding> {
  const weight = model.parameters().get(`${linear.name}.weight`);
  const bias = model.parameters().get(`${linear.name}.bias`);
  if (!(weight instanceof Tensor) || weight.size !== linear.inWidth * linear.outWidth)
    throw cannotBake(`'${linear.name}'`, `${model.info.architecture} has no weight ${linear.name}.weight of its size`);
  return {
    linear,
    weight: Float64Array.from(await onHost(model, weight)),
    bias: bias instanceof Tensor ? Float64Array.from(await onHost(model, bias)) : undefined,
    changed: { weight: false, bias: false },
  };
}

async function onHost({ gpu }: HookedModel, { storage, dtype, size }: Tensor): Promise<Float32Array> {
  return dtype === 'f16' ? unpackF16(await gpu.read(storage, 'u32'), size) : gpu.read(storage, 'f32');
}

/** First column of an output among those of its map, which the outputs share in equal parts. */
function columnOf({ outputs, outWidth }: LinearSite, at: HookName): number {
  return (outputs.indexOf(at) * outWidth) / outputs.length;
}

/** Each value scales an equal run of what the map reads or writes. */
function scaleBy(
  { linear, weight, bias, changed }: Folding,
  { side, at }: Beside,
  alphas: Float32Array,
  factor: (alpha: number) => number,
): void {
  const { inWidth, outWidth, outputs } = linear;
  const width = side === 'input' ? inWidth : outWidth / outputs.length;
  const factors = Float64Array.from({ length: width }, (_, i) =>
    factor(alphas[Math.floor((i * alphas.length) / width)] as number),
  );
  const first = side === 'input' ? 0 : columnOf(linear, at);
  for (let i = 0; i < width; i++) {
    const by = factors[i] as number;
    const across = side === 'input' ? outWidth : inWidth;
    for (let j = 0; j < across; j++) {
      const place = side === 'input' ? placeOf(linear, i, j) : placeOf(linear, j, first + i);
      weight[place] = (weight[place] as number) * by;
    }
    if (side === 'output' && bias) bias[first + i] = (bias[first + i] as number) * by;
  }
  changed.weight = true;
  if (side === 'output') changed.bias = true;
}

/** b + βv, or b + βvW for a vector of what the map reads. */
function addVector(
  { linear, weight, bias, changed }: Folding,
  { side, at }: Beside,
  vector: Float32Array,
  strength: number,
): void {
  if (!bias) throw cannotBake(`a vector at '${at}'`, `the map '${linear.name}' has no bias that could hold it`);
  const { inWidth, outWidth } = linear;
  if (side === 'output') {
    const first = columnOf(linear, at);
    vector.forEach((value, i) => {
      bias[first + i] = (bias[first + i] as number) + strength * value;
    });
  } else
    for (let j = 0; j < outWidth; j++) {
      let along = 0;
      for (let i = 0; i < inWidth; i++) along += (vector[i] as number) * (weight[placeOf(linear, i, j)] as number);
      bias[j] = (bias[j] as number) + strength * along;
    }
  changed.bias = true;
}

/** Where W[i, j] stands, however the weight is stored. */
function placeOf({ orientation, inWidth, outWidth }: LinearSite, i: number, j: number): number {
  return orientation === 'in-out' ? i * outWidth + j : j * inWidth + i;
}

function roundedAs(model: HookedModel, name: string, numbers: Float64Array): BakedParameter {
  return { shape: (model.parameters().get(name) as Tensor).shape, data: Float32Array.from(numbers) };
}

function cannotBake(what: string, why: string): LimnError {
  return new LimnError('usage/steering-bake', `Weights cannot hold ${what}: ${why}.`, {
    details: { given: what },
    hint: "Bake 'activ-scalar' or 'dimension-scale' at hook_attn_out, hook_mlp_out, attn.hook_z or mlp.hook_post, or 'steer-vec', with positions 'none' from the first token on; steer by interventions otherwise.",
  });
}

// Values folded into weights: a model made of them gives the logits of the steered run, for prompts and for generated tokens, on both architectures.
import { formatConfig, loadGpt2, memoryFiles, writeSafetensors, type Gpt2, type WritableTensor } from '@limn/gpt2';
import { tokenBatch, type HookedModel, type HookName, type Intervention } from '@limn/hooks';
import { readFloats, Tensor } from '@limn/tensor';
import { referenceEap, refusal, testGpu, ToyModel } from '@limn/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  bakeScales,
  positionTable,
  readControlVector,
  steeredPlaces,
  Steering,
  steeringFromControlVector,
  writeControlVector,
  type BakedParameter,
  type SteeringMethod,
  type SteeringSpec,
  type SteeringValues,
} from '../src/index.js';
import { parameterForms } from '../src/method.js';
import { gpt2Of, SIZES } from './models.js';

const PROMPTS = [
  [1, 5, 2, 7, 3],
  [4, 4, 9],
  [8, 0, 6, 2],
];
/** What is generated, whatever the model would say: two tokens a row. */
const CONTINUED = [
  [3, 1, 2],
  [9, 9, 0],
];
const EVERYWHERE = positionTable([], 'none');
const SITES = ['hook_attn_out', 'hook_mlp_out', 'attn.hook_z', 'mlp.hook_post'] as const;

/** Values between −.6 and .6, none of them alike. */
function valuesOf(model: HookedModel, spec: Omit<SteeringSpec, 'positions'>, size = 0.6): SteeringValues {
  let n = 0;
  const places = new Map<HookName, Map<'alpha' | 'vector', Float32Array>>();
  const whole = { positions: EVERYWHERE, ...spec };
  for (const place of steeredPlaces(model.info, whole))
    for (const { name, shape } of parameterForms(spec.method, place, 1))
      places.set(
        place.at,
        new Map([
          [name as 'alpha', Float32Array.from({ length: shape[0] * shape[1] }, () => size * Math.sin(++n * 2.3))],
        ]),
      );
  return { spec: whole, fingerprint: model.info.fingerprint, places };
}

/** Logits at every real position of the prompts (padding is steered by weights and not by interventions), then behind each generated token. */
async function logitsOf(model: HookedModel, interventions: readonly Intervention[] = []): Promise<Float32Array[]> {
  const step = model.gpu.step({ label: 'baked' });
  const batch = tokenBatch(PROMPTS, model.info);
  const logits = PROMPTS.flatMap((prompt, b) => prompt.map((_id, t) => b * batch.T + t));
  const { run, cache } = model.prefill(step, batch, { interventions, logits });
  const tensors = [run.logits];
  for (const next of CONTINUED) {
    const single = tokenBatch(
      next.map((id) => [id]),
      model.info,
    );
    tensors.push(model.decode(step, single, cache, { interventions }).logits);
  }
  const found = await Promise.all(tensors.map((tensor) => readFloats(step, tensor)));
  step.dispose();
  cache.dispose();
  return found;
}

/** The largest |difference| of prompts, and of generated tokens. */
function distances(a: readonly Float32Array[], b: readonly Float32Array[]): number[] {
  return a.map((logits, i) =>
    logits.reduce((most, x, j) => Math.max(most, Math.abs(x - ((b[i] as Float32Array)[j] as number))), 0),
  );
}

/** The untouched models' logits. */
const untouched = new WeakMap<HookedModel, Promise<Float32Array[]>>();

/** Logits steered by interventions and those of a model with baked weights are alike to 1e-4, and far from the model's own. */
async function expectBaked(
  model: HookedModel,
  rebuilt: (baked: ReadonlyMap<string, BakedParameter>) => Promise<HookedModel & { dispose(): void }>,
  values: SteeringValues,
  strength: number,
): Promise<ReadonlyMap<string, BakedParameter>> {
  const baked = await bakeScales(model, values, strength);
  const steering = new Steering(model, values.spec, { values: [values] });
  const other = await rebuilt(baked);
  try {
    const own = untouched.get(model) ?? logitsOf(model);
    untouched.set(model, own);
    const hooked = await logitsOf(model, steering.interventions({ strength }));
    const what = `${JSON.stringify(values.spec.method)} at ${values.spec.sites.join(', ')}`;
    // f32 round-off of logits of about 5.
    for (const distance of distances(hooked, await logitsOf(other))) expect(distance, what).toBeLessThan(1e-4);
    for (const distance of distances(hooked, await own)) expect(distance, what).toBeGreaterThan(0.05);
  } finally {
    steering.dispose();
    other.dispose();
  }
  return baked;
}

const METHODS: readonly (readonly [SteeringMethod, number])[] = [
  [{ kind: 'activ-scalar' }, -1.5],
  [{ kind: 'dimension-scale' }, 1],
  [{ kind: 'activ-scalar', form: 'exponential' }, 1],
  [{ kind: 'activ-scalar', form: 'bounded', bound: 0.5 }, -1],
];

describe('on GPT-2', () => {
  let model: Gpt2;
  beforeAll(async () => {
    model = await gpt2Of(referenceEap.randomModel(SIZES, 4));
  });
  afterAll(() => model.dispose());

  /** The model's files with some parameters replaced, loaded anew. */
  async function rebuilt(baked: ReadonlyMap<string, BakedParameter>): Promise<Gpt2> {
    const tensors = new Map<string, WritableTensor>();
    for (const [name, parameter] of model.parameters()) {
      const [tensor = undefined] = parameter instanceof Tensor ? [parameter] : parameter.blocks;
      if (!tensor) throw new Error(name);
      const own = { shape: tensor.shape, data: await model.gpu.read(tensor.storage, 'f32') };
      tensors.set(name === 'lm_head.weight' ? name : `transformer.${name}`, baked.get(name) ?? own);
    }
    const files = memoryFiles({
      'config.json': new TextEncoder().encode(formatConfig({ ...model.config, tied: model.tied })),
      'model.safetensors': writeSafetensors(tensors),
    });
    return (await loadGpt2(await testGpu(), files)).model;
  }

  it('is the model itself when nothing is baked', async () => {
    const same = await rebuilt(new Map());
    expect(same.info.fingerprint).toBe(model.info.fingerprint);
    same.dispose();
  });

  it('scales are weights, for every form and site', async () => {
    for (const [method, strength] of METHODS)
      await expectBaked(model, rebuilt, valuesOf(model, { method, sites: SITES }), strength);
    for (const site of SITES) {
      const baked = await bakeScales(
        model,
        valuesOf(model, { method: { kind: 'activ-scalar' }, sites: [site], layers: [1] }),
      );
      const map = site === 'hook_attn_out' || site === 'attn.hook_z' ? 'h.1.attn.c_proj' : 'h.1.mlp.c_proj';
      const names = site.includes('.') ? [`${map}.weight`] : [`${map}.weight`, `${map}.bias`];
      expect([...baked.keys()]).toEqual(names);
    }
  });

  it('vectors are biases, at every site but what enters block 0', async () => {
    const method = { kind: 'steer-vec' } as const;
    const sites = [...SITES, 'hook_resid_mid', 'hook_resid_post'] as const;
    const baked = await expectBaked(model, rebuilt, valuesOf(model, { method, sites }), -0.8);
    expect([...baked.keys()].every((name) => name.endsWith('.bias'))).toBe(true);
    await expectBaked(model, rebuilt, valuesOf(model, { method, sites: ['hook_resid_pre'], layers: [1] }), 1);
    const first = await refusal(bakeScales(model, valuesOf(model, { method, sites: ['hook_resid_pre'] })));
    expect({ code: first.code, given: first.details.given }).toEqual({
      code: 'usage/steering-bake',
      given: "a vector at 'blocks.0.hook_resid_pre'",
    });
  });

  it('a control vector is baked as it steers, the output of the last block included', async () => {
    const direction = (n: number): Float32Array => Float32Array.from({ length: 16 }, (_, i) => Math.cos(n + i));
    const directions = new Map([0, 1].map((layer) => [layer, direction(layer)]));
    const bytes = writeControlVector({ directions, modelHint: 'gpt2' });
    const { values } = steeringFromControlVector(readControlVector(bytes), model.info);
    const baked = await expectBaked(model, rebuilt, values, 0.5);
    expect([...baked.keys()]).toEqual(['h.0.mlp.c_proj.bias', 'h.1.mlp.c_proj.bias']);
  });

  it('what no weight stands for is refused, and why', async () => {
    const scalar = { kind: 'activ-scalar' } as const;
    const of = (method: SteeringMethod, sites: SteeringSpec['sites'] = ['hook_mlp_out']) =>
      valuesOf(model, { method, sites });
    const at = (positions: SteeringSpec['positions']): SteeringValues => {
      const values = of(scalar);
      return { ...values, spec: { ...values.spec, positions } };
    };
    const refused: readonly (readonly [SteeringValues, string])[] = [
      [
        at(positionTable([{ length: 3 }], 'absolute')),
        "values by position 'absolute': weights are the same at every position",
      ],
      [at(positionTable([], 'none', { skip: 1 })), 'values that leave the first 1 positions alone: weights are'],
      [of({ kind: 'dyn-scalar' }), "'dyn-scalar': its factors depend on the activation"],
      [of({ kind: 'gated-scalar' }), "'gated-scalar': its factors depend on the activation"],
      [of({ kind: 'subspace-scale', rank: 2 }), "'subspace-scale': it mixes dimensions"],
      [of(scalar, ['hook_resid_pre']), "factors at 'hook_resid_pre': the residual stream is a sum"],
      [
        of({ kind: 'dimension-scale' }, ['hook_resid_post']),
        "factors at 'hook_resid_post': the residual stream is a sum",
      ],
    ];
    for (const [values, says] of refused) {
      const { code, message } = await refusal(bakeScales(model, values));
      expect(code).toBe('usage/steering-bake');
      expect(message).toContain(says);
    }
    expect((await refusal(bakeScales(model, of(scalar), Number.NaN))).code).toBe('usage/steering-bake');
    const other = { ...of(scalar), fingerprint: 'other' };
    expect((await refusal(bakeScales(model, other))).code).toBe('data/steering-fingerprint');
    const cut = { ...of(scalar), places: new Map() };
    expect((await refusal(bakeScales(model, cut))).code).toBe('data/steering-values');
  });
});

describe('on the parallel architecture, whose weights are [out, in]', () => {
  const sizes = { layers: 2, heads: 3, headWidth: 5, mlpWidth: 22, vocabulary: 23, maxPositions: 9 };
  let model: ToyModel;
  beforeAll(async () => {
    model = new ToyModel(await testGpu(), sizes, 3);
  });
  afterAll(() => model.dispose());

  async function rebuilt(baked: ReadonlyMap<string, BakedParameter>): Promise<ToyModel> {
    const other = new ToyModel(await testGpu(), sizes, 3);
    for (const [name, { shape, data }] of baked) {
      const parameter = other.parameters().get(name);
      if (!(parameter instanceof Tensor)) throw new Error(name);
      expect(shape).toEqual(parameter.shape);
      other.gpu.write(parameter.storage, data);
    }
    return other;
  }

  it('scales are weights', async () => {
    for (const [method, strength] of METHODS.slice(0, 2))
      await expectBaked(model, rebuilt, valuesOf(model, { method, sites: SITES }), strength);
  });

  it('vectors are biases where there are any', async () => {
    const method = { kind: 'steer-vec' } as const;
    const sites = ['hook_mlp_out', 'mlp.hook_post', 'hook_resid_post'] as const;
    await expectBaked(model, rebuilt, valuesOf(model, { method, sites }), 1);
    await expectBaked(model, rebuilt, valuesOf(model, { method, sites: ['hook_resid_pre'], layers: [1] }), 1);
    for (const site of ['hook_attn_out', 'attn.hook_z'] as const) {
      const { code, message } = await refusal(bakeScales(model, valuesOf(model, { method, sites: [site] })));
      expect(code).toBe('usage/steering-bake');
      expect(message).toContain("the map '0.o' has no bias");
    }
  });
});

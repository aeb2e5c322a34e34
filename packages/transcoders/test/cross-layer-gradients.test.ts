// Every loss of a cross-layer transcoder: the float64 reference against finite differences, and the recorded update against the reference.
import { checkVjp, referenceCrossLayer, refusal, testGpu } from '@limn/testing';
import { fromData, readFloats, type Tensor } from '@limn/tensor';
import { describe, expect, it } from 'vitest';
import {
  CrossLayerDictionary,
  DictionaryTrainingState,
  recordCrossLayerStep,
  trainedCrossLayerNames,
  type CrossLayerStepSettings,
  type CrossLayerTensorName,
} from '../src/index.js';
import {
  arrayOf,
  configOf,
  DEAD,
  drawCase,
  LOSS_CASES,
  SIZES,
  weightsOf,
  type CrossLayerLossCase,
} from './cross-layer-cases.js';

const { crossLayerLoss } = referenceCrossLayer;
type Parameters = referenceCrossLayer.CrossLayerParameters;

const { rows, width, features: F, layers: L } = SIZES;
/** Rows since the dead ones fired, and the bound. */
const LONG = 1000;

const isLong = process.env['LIMN_LONG'] === '1';
/** A kind with every dense term, and one of codes with AuxK. */
const FEW: readonly CrossLayerLossCase[] = [LOSS_CASES[1], LOSS_CASES[3]] as CrossLayerLossCase[];

/** ‖found − expected‖ / ‖expected‖, absolute where nothing is expected. */
function apart(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  let off = 0;
  let size = 0;
  for (let i = 0; i < expected.length; i++) {
    off += ((found[i] as number) - (expected[i] as number)) ** 2;
    size += (expected[i] as number) ** 2;
  }
  return Math.sqrt(size === 0 ? off : off / size);
}

/** A chain of three products with sums of at most 36 terms each, and three layers of them: below 200 roundings of 2⁻²⁴. */
const CLOSE = 200 * 2 ** -24;

async function update(each: CrossLayerLossCase, settings: Partial<CrossLayerStepSettings> = {}, layersGiven = L) {
  const gpu = await testGpu();
  const config = configOf(each.activation);
  const { about, parameters } = drawCase(each, 8);
  using dictionary = CrossLayerDictionary.create(gpu, config, weightsOf(parameters, config));
  const states = DEAD.map((dead) => {
    const sinceFired = Uint32Array.from({ length: F }, (_, f) => (dead.includes(f) ? LONG : 3));
    return DictionaryTrainingState.create(gpu, config, { rows: 5 * LONG, sinceFired, threshold: 0.5 });
  });
  using step = gpu.step();
  let products = 0;
  const dispatch = step.dispatch.bind(step);
  step.dispatch = (kernel, bindings, uniforms, options) => {
    if (options?.label === 'pre-activations') products += 1;
    dispatch(kernel, bindings, uniforms, options);
  };
  const put = (of: readonly Float64Array[]): Tensor[] =>
    of.slice(0, layersGiven).map((values) => fromData(step, Float32Array.from(values), [rows, width]));
  const batch = { x: put(about.x), y: put(about.y) };
  try {
    const recorded = recordCrossLayerStep(
      step,
      dictionary,
      batch,
      { loss: each.loss, deadAfter: LONG, ...settings },
      states,
    );
    const named: [string, Tensor][] = [
      ['loss', recorded.loss],
      ...Object.entries(recorded.parts),
      ...(['l0', 'fvu', 'dead'] as const).map((name): [string, Tensor] => [name, recorded[name]]),
      ...recorded.fired.map((fired, i): [string, Tensor] => [`fired ${i}`, fired]),
      ...recorded.gradients,
    ];
    const read = await Promise.all(
      named.map(async ([name, tensor]) => [name, await readFloats(step, tensor)] as const),
    );
    return {
      found: Object.fromEntries(read) as Record<string, Float32Array>,
      names: [...recorded.gradients.keys()],
      /** Products of rows and an encoder. */
      products,
      saved: await Promise.all(states.map((state) => state.save())),
    };
  } finally {
    for (const state of states) state.dispose();
  }
}

/** The parameters with some arrays in the places of those that are named. */
function withArrays(
  parameters: Parameters,
  names: readonly CrossLayerTensorName[],
  arrays: readonly Float64Array[],
): Parameters {
  const put = (name: CrossLayerTensorName, old: Float64Array): Float64Array => arrays[names.indexOf(name)] ?? old;
  const { logThreshold } = parameters;
  return {
    wEnc: parameters.wEnc.map((old, i) => put(`wEnc.${i}`, old)),
    bEnc: parameters.bEnc.map((old, i) => put(`bEnc.${i}`, old)),
    wDec: parameters.wDec.map((list, i) => list.map((old, to) => put(`wDec.${i}.${i + to}`, old))),
    bDec: parameters.bDec.map((old, i) => put(`bDec.${i}`, old)),
    ...(logThreshold ? { logThreshold: logThreshold.map((old, i) => put(`logThreshold.${i}`, old)) } : {}),
  };
}

describe.each(LOSS_CASES)('$name', (each) => {
  const { about, parameters } = drawCase(each, 8);
  const config = configOf(each.activation);
  const expected = crossLayerLoss(about, parameters);

  it('the reference is its finite differences', () => {
    // The straight-through gradient of θ is none; AuxK takes the residual as given.
    const names = trainedCrossLayerNames(config).filter((name) => !name.startsWith('logThreshold'));
    const held = { ...about, residual: expected.residual };
    const at = (inputs: readonly Float64Array[]): Parameters => withArrays(parameters, names, inputs);
    checkVjp(
      {
        name: each.name,
        forward: (inputs) => [Float64Array.of(crossLayerLoss(held, at(inputs)).loss)],
        vjp: (inputs, [seed]) => {
          const { gradients } = crossLayerLoss(held, at(inputs));
          return names.map((name) => arrayOf(gradients, name).map((slope) => slope * seed![0]!));
        },
      },
      names.map((name) => arrayOf(parameters, name)),
      { directions: 1 },
    );
  });

  it('the recorded update is the reference', async (context) => {
    context.skip(!isLong && !FEW.includes(each), 'software adapters take seconds for each kind: with LIMN_LONG=1');
    const { found, names, products } = await update(each);
    expect(names).toEqual(trainedCrossLayerNames(config));
    // AuxK selects from what was made for the features that fire.
    expect(products).toBe(L);
    expect(apart(found['loss']!, [expected.loss])).toBeLessThan(CLOSE);
    expect(apart(found['fvu']!, expected.fvu)).toBeLessThan(CLOSE);
    for (const part of ['reconstruction', 'sparsity', 'auxiliary', 'preActivation'] as const) {
      expect(part in found).toBe(part === 'reconstruction' || part in each.loss);
      if (part in found) expect(apart(found[part]!, [expected.parts[part]])).toBeLessThan(CLOSE);
    }
    const fired = expected.a.map((a) =>
      Array.from({ length: F }, (_, f) => a.filter((value, at) => at % F === f && value > 0).length),
    );
    fired.forEach((counts, i) => expect([...found[`fired ${i}`]!]).toEqual(counts));
    const l0 = fired.map((counts) =>
      Math.fround(counts.reduce((sum, count) => sum + count, 0) * Math.fround(1 / rows)),
    );
    expect([...found['l0']!]).toEqual(l0);
    expect([...found['dead']!]).toEqual(DEAD.map(({ length }) => length));
    for (const name of names)
      expect([name, apart(found[name]!, arrayOf(expected.gradients, name))]).toSatisfy(([, off]) => off < CLOSE);
  });
});

describe('an update of a cross-layer transcoder', () => {
  const tanhCase = LOSS_CASES[1] as CrossLayerLossCase;

  it('in parts is the update of the whole batch', async () => {
    const { about, parameters } = drawCase(tanhCase, 8);
    const expected = crossLayerLoss(about, parameters);
    const { found, names, saved } = await update(tanhCase, { rowsAtOnce: 9 });
    expect(apart(found['loss']!, [expected.loss])).toBeLessThan(CLOSE);
    for (const name of names) expect(apart(found[name]!, arrayOf(expected.gradients, name))).toBeLessThan(CLOSE);
    for (const [i, { sinceFired, rows: seen }] of saved.entries()) {
      const fires = (f: number): boolean => expected.a[i]!.some((a, at) => at % F === f && a > 0);
      const since = Array.from({ length: F }, (_, f) => (fires(f) ? 0 : rows + (DEAD[i]!.includes(f) ? LONG : 3)));
      expect([...sinceFired]).toEqual(since);
      expect(seen).toBe(5 * LONG + rows);
    }
  });

  it("moves each layer's threshold towards the least activation that the layer kept", async (context) => {
    context.skip(!isLong, 'one more kind: with LIMN_LONG=1');
    const each = LOSS_CASES.find(({ activation }) => activation.kind === 'batch-top-k') as CrossLayerLossCase;
    const { about, parameters } = drawCase(each, 8);
    const { saved } = await update(each);
    for (const [i, a] of crossLayerLoss(about, parameters).a.entries()) {
      const least = Math.min(...a.filter((value) => value > 0));
      expect(saved[i]?.threshold).toBeCloseTo(0.99 * 0.5 + 0.01 * least, 6);
    }
  });

  it('refuses losses that an activation has not got, and rows that do not fit', async () => {
    const { loss } = tanhCase;
    const topK = { ...tanhCase, activation: { kind: 'top-k', k: 3 } } as const;
    expect(await refusal(() => update(topK))).toMatchObject({ code: 'usage/dictionary-loss' });
    const code = 'usage/dictionary-batch';
    expect(await refusal(() => update(tanhCase, { rowsAtOnce: 0 }))).toMatchObject({ code });
    expect(await refusal(() => update(tanhCase, { deadAfter: 0.5 }))).toMatchObject({ code });
    expect(await refusal(() => update({ ...tanhCase, loss }, {}, 2))).toMatchObject({ code, message: /x of 2 layers/ });
  });
});

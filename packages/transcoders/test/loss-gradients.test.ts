// Every loss of every activation: the float64 reference against finite differences, and the recorded update against the reference.
import { checkVjp, referenceDictionary, refusal, testGpu } from '@limn/testing';
import { fromData, readFloats, type Tensor } from '@limn/tensor';
import { describe, expect, it } from 'vitest';
import {
  Dictionary,
  DictionaryTrainingState,
  recordDictionaryStep,
  trainedNames,
  type DictionaryStepSettings,
} from '../src/index.js';
import { configOf, DEAD, drawCase, LOSS_CASES, SIZES, weightsOf, type LossCase } from './loss-cases.js';

const { dictionaryLoss } = referenceDictionary;
type Parameters = referenceDictionary.DictionaryParameters;
type Name = keyof Parameters;

const { rows, inputWidth: I, outputWidth: O, features: F } = SIZES;
/** Rows since the dead ones fired, and the bound. */
const LONG = 1000;

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

/** A gradient here is a chain of three products with sums of at most 32 terms each: below 100 roundings of 2⁻²⁴. */
const CLOSE = 100 * 2 ** -24;

async function update(each: LossCase, parameters: Parameters, settings: Partial<DictionaryStepSettings> = {}) {
  const gpu = await testGpu();
  const config = configOf(each);
  const { about } = drawCase(each, 8);
  using dictionary = Dictionary.create(gpu, config, weightsOf(parameters, config));
  const sinceFired = Uint32Array.from({ length: F }, (_, f) => (DEAD.includes(f) ? LONG : 3));
  using state = DictionaryTrainingState.create(gpu, config, { rows: 5 * LONG, sinceFired, threshold: 0.5 });
  using step = gpu.step();
  const batch = {
    x: fromData(step, Float32Array.from(about.x), [rows, I]),
    y: fromData(step, Float32Array.from(about.y), [rows, O]),
  };
  const recorded = recordDictionaryStep(
    step,
    dictionary,
    batch,
    { loss: each.loss, deadAfter: LONG, ...settings },
    state,
  );
  const named: [string, Tensor][] = [
    ['loss', recorded.loss],
    ...Object.entries(recorded.parts),
    ['l0', recorded.l0],
    ['fvu', recorded.fvu],
    ['dead', recorded.dead],
    ['fired', recorded.fired],
    ...recorded.gradients,
  ];
  const read = await Promise.all(named.map(async ([name, tensor]) => [name, await readFloats(step, tensor)] as const));
  return {
    config,
    found: Object.fromEntries(read) as Record<string, Float32Array>,
    names: [...recorded.gradients.keys()],
    weights: await dictionary.weights(),
    state: await state.save(),
  };
}

describe.each(LOSS_CASES)('$name', (each) => {
  const { about, parameters } = drawCase(each, 8);
  const config = configOf(each);
  const expected = dictionaryLoss(about, parameters);

  it('the reference is its finite differences', () => {
    // The straight-through gradient of θ is none; AuxK takes the residual as given.
    const names = trainedNames(config).filter((name) => name !== 'logThreshold') as Name[];
    const held = { ...about, residual: expected.residual };
    const at = (inputs: readonly Float64Array[]): Parameters => ({
      ...parameters,
      ...Object.fromEntries(names.map((name, i) => [name, inputs[i]])),
    });
    checkVjp(
      {
        name: each.name,
        forward: (inputs) => [Float64Array.of(dictionaryLoss(held, at(inputs)).loss)],
        vjp: (inputs, [seed]) => {
          const { gradients } = dictionaryLoss(held, at(inputs));
          return names.map((name) => gradients[name].map((slope) => slope * (seed as Float64Array)[0]!));
        },
      },
      names.map((name) => parameters[name] as Float64Array),
    );
  });

  it('the recorded update is the reference', async () => {
    const { found, names } = await update(each, parameters);
    expect(names).toEqual(trainedNames(config));
    expect(apart(found['loss']!, [expected.loss])).toBeLessThan(CLOSE);
    expect(apart(found['fvu']!, [expected.fvu])).toBeLessThan(CLOSE);
    for (const part of ['reconstruction', 'sparsity', 'auxiliary', 'preActivation'] as const) {
      expect(part in found).toBe(part === 'reconstruction' || part in each.loss);
      if (part in found) expect(apart(found[part]!, [expected.parts[part]])).toBeLessThan(CLOSE);
    }
    const fired = Array.from({ length: F }, (_, f) => expected.a.filter((a, at) => at % F === f && a > 0).length);
    expect([...found['fired']!]).toEqual(fired);
    expect(found['l0']![0]).toBe(fired.reduce((sum, count) => sum + count, 0) / rows);
    expect([...found['dead']!]).toEqual([DEAD.length]);
    for (const name of names)
      expect([name, apart(found[name]!, expected.gradients[name])]).toSatisfy(([, off]) => off < CLOSE);
  });
});

describe('an update', () => {
  const reluCase = LOSS_CASES[1] as LossCase;
  const { about, parameters } = drawCase(reluCase, 8);

  it('in parts is the update of the whole batch', async () => {
    const expected = dictionaryLoss(about, parameters);
    const { found, state } = await update(reluCase, parameters, { rowsAtOnce: 9 });
    expect(apart(found['loss']!, [expected.loss])).toBeLessThan(CLOSE);
    for (const part of ['reconstruction', 'sparsity', 'preActivation'] as const)
      expect(apart(found[part]!, [expected.parts[part]])).toBeLessThan(CLOSE);
    for (const name of trainedNames(configOf(reluCase)))
      expect(apart(found[name]!, expected.gradients[name])).toBeLessThan(CLOSE);
    const fires = (f: number): boolean => expected.a.some((a, at) => at % F === f && a > 0);
    const since = Array.from({ length: F }, (_, f) => (fires(f) ? 0 : rows + (DEAD.includes(f) ? LONG : 3)));
    expect([...state.sinceFired]).toEqual(since);
    expect(state.rows).toBe(5 * LONG + rows);
  });

  it('with a unit decoder brings its rows to length 1 and leaves no gradient along them', async () => {
    const wDec = parameters.wDec.map((value, at) => {
      const row = parameters.wDec.subarray(at - (at % O), at - (at % O) + O);
      return value / Math.hypot(...row);
    });
    const { gradients, loss } = dictionaryLoss(about, { ...parameters, wDec });
    const across = gradients.wDec.map((value, at) => {
      const start = at - (at % O);
      const along = wDec.subarray(start, start + O).reduce((sum, w, o) => sum + w * gradients.wDec[start + o]!, 0);
      return value - along * wDec[at]!;
    });
    const { found, weights } = await update(reluCase, parameters, { unitDecoder: true });
    expect(apart(weights.wDec, wDec)).toBeLessThan(CLOSE);
    expect(apart(found['loss']!, [loss])).toBeLessThan(CLOSE);
    expect(apart(found['wDec']!, across)).toBeLessThan(CLOSE);
    expect(apart(found['wEnc']!, gradients.wEnc)).toBeLessThan(CLOSE);
  });

  it('before a feature can be dead has no terms for the dead', async () => {
    for (const each of LOSS_CASES.filter(({ loss }) => loss.auxiliary ?? loss.preActivation)) {
      const { found } = await update(each, drawCase(each, 8).parameters, { deadAfter: 6 * LONG });
      expect([...found['dead']!]).toEqual([0]);
      expect('auxiliary' in found || 'preActivation' in found).toBe(false);
    }
  });

  it("moves BatchTopK's threshold towards the least activation it kept", async () => {
    const each = LOSS_CASES.find(({ activation }) => activation.kind === 'batch-top-k') as LossCase;
    const drawn = drawCase(each, 8);
    const kept = dictionaryLoss(drawn.about, drawn.parameters).a.filter((a) => a > 0);
    expect(kept).toHaveLength(4 * rows);
    const { state, weights } = await update(each, drawn.parameters);
    const threshold = 0.99 * 0.5 + 0.01 * Math.min(...kept);
    expect(state.threshold).toBeCloseTo(threshold, 6);
    for (const log of weights.logThreshold as Float32Array) expect(Math.exp(log)).toBeCloseTo(threshold, 6);
  });

  it('the pre-activation loss reaches θ smoothly: finite differences', () => {
    const each = LOSS_CASES.find(
      ({ loss, activation }) => loss.preActivation && activation.kind === 'jump-relu',
    ) as LossCase;
    const drawn = drawCase(each, 8);
    const weight = (each.loss.preActivation as { weight: number }).weight;
    const { preActivation: _, ...without } = each.loss;
    checkVjp(
      {
        name: 'pre-activation loss',
        forward: ([logThreshold]) => [
          Float64Array.of(
            dictionaryLoss(drawn.about, { ...drawn.parameters, logThreshold: logThreshold! }).parts.preActivation,
          ),
        ],
        vjp: ([logThreshold], [seed]) => {
          const own = { ...drawn.parameters, logThreshold: logThreshold! };
          const all = dictionaryLoss(drawn.about, own).gradients.logThreshold;
          const others = dictionaryLoss({ ...drawn.about, loss: without }, own).gradients.logThreshold;
          return [all.map((slope, f) => ((slope - others[f]!) / weight) * seed![0]!)];
        },
      },
      [drawn.parameters.logThreshold as Float64Array],
    );
  });

  it('refuses losses that an activation has not got, and rows that do not fit', async () => {
    const refused = (change: Partial<LossCase>, settings: Partial<DictionaryStepSettings> = {}) => {
      const each = { ...reluCase, ...change };
      return refusal(() => update(each, drawCase(each, 8).parameters, settings));
    };
    const { loss } = reluCase;
    const topK: LossCase['activation'] = { kind: 'top-k', k: 4 };
    const code = 'usage/dictionary-loss';
    expect(await refused({ activation: topK })).toMatchObject({ code });
    expect(await refused({ loss: { ...loss, auxiliary: { features: 3, weight: 1 } } })).toMatchObject({ code });
    expect(await refused({ loss: { ...loss, sparsity: { kind: 'l0', weight: 1 } } })).toMatchObject({ code });
    expect(await refused({ loss: { ...loss, sparsity: { kind: 'l1', weight: -1 } } })).toMatchObject({ code });
    expect(await refused({ loss: { ...loss, sparsity: { kind: 'l2' as 'l1', weight: 1 } } })).toMatchObject({ code });
    expect(await refused({ loss: { ...loss, sparsity: { kind: 'tanh', weight: 1, steepness: 0 } } })).toMatchObject({
      code,
    });
    expect(await refused({ loss: { reconstruction: 'mse' as 'sum' } })).toMatchObject({ code });
    expect(
      await refused({ activation: topK, loss: { reconstruction: 'fvu', auxiliary: { features: 0, weight: 1 } } }),
    ).toMatchObject({ code });
    expect(await refused({}, { rowsAtOnce: 0 })).toMatchObject({ code: 'usage/dictionary-batch' });
    expect(await refused({}, { deadAfter: 0.5 })).toMatchObject({ code: 'usage/dictionary-batch' });
  });
});

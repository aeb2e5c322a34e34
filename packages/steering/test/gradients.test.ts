// Every method and every objective on the GPU against float64, whose own gradients are checked by differences; and whole models against differences in float64.
import { describe, expect, it } from 'vitest';
import { dot, fromData, gradients, readFloats, type Tensor } from '@limn/tensor';
import {
  expectClose,
  referenceBucketDivergence,
  referenceEap,
  referenceRandom,
  referenceSteering,
  referenceSoftmaxLosses,
  testGpu,
} from '@limn/testing';
import { applyMethod, steeredRows } from '../src/apply-method.js';
import { recordObjective, settleObjective } from '../src/objective.js';
import { prepareExamples } from '../src/prepare-examples.js';
import { recordUpdate } from '../src/training-step.js';
import { positionTable, Steering, type SteeringExample, type SteeringMethod } from '../src/index.js';
import { examplesOf, gpt2Of, SIZES } from './models.js';

const random = referenceRandom(91);
const [R, W, P] = [7, 24, 3];
const slots = Int32Array.of(0, -1, 1, 2, 1, -1, 0);
const strength = Float64Array.of(1, 1, -1, 0.5, -2, 1, -1);
const f32 = (values: Float64Array): Float64Array => values.map(Math.fround);
const h = f32(random.normals(R * W));
const probe = f32(random.normals(W, 0.5));
/** As apply-method has it. */
const tiny = 1e-12;

/** Runs a method on rows and pulls a seed back; magnitudes are those of sums of W terms of the size of the values. */
async function check(
  method: SteeringMethod,
  tensors: Readonly<Record<string, readonly [values: Float64Array, shape: readonly [number, number]]>>,
  expected: (dy: Float64Array) => { readonly y: Float64Array; readonly gradients: readonly Float64Array[] },
): Promise<void> {
  const gpu = await testGpu();
  using step = gpu.step();
  const x = fromData(step, Float32Array.from(h), [R, W]);
  const given = Object.entries(tensors).map(
    ([name, [values, shape]]) => [name, fromData(step, Float32Array.from(values), shape)] as const,
  );
  const { y } = applyMethod(
    step,
    method,
    x,
    Object.fromEntries(given),
    steeredRows(step, slots, Float32Array.from(strength), P),
  );
  const dy = f32(random.normals(R * W));
  const learnt = given.filter(([name]) => name !== 'basis').map(([, tensor]) => tensor);
  const found = gradients(step, y, fromData(step, Float32Array.from(dy), [R, W]), [x, ...learnt]);
  const [value, ...slopes] = await Promise.all([y, ...found].map((tensor) => readFloats(step, tensor)));
  const reference = expected(dy);
  const size = (values: Float64Array): Float64Array => {
    const largest = values.reduce((most, v) => Math.max(most, Math.abs(v)), 1);
    return values.map((v) => Math.abs(v) + largest * 8);
  };
  const about = (what: string) => ({ kernel: method.kind, case: what, n: W });
  expectClose(value!, { values: reference.y, magnitude: size(reference.y) }, about('forward'));
  expect(slopes.length).toBe(reference.gradients.length);
  slopes.forEach((slope, i) =>
    expectClose(
      slope,
      { values: reference.gradients[i]!, magnitude: size(reference.gradients[i]!) },
      about(`gradient ${i}`),
    ),
  );
}

describe('methods', () => {
  it.each(['normalised', 'raw'] as const)('dyn-scalar, %s', async (form) => {
    const about = { h, width: W, slots, strength, probe, bias: Math.fround(0.3), raw: form === 'raw', tiny };
    await check(
      { kind: 'dyn-scalar', probe: form, bias: true },
      { probe: [probe, [W, 1]], bias: [Float64Array.of(about.bias), [1, 1]] },
      (dy) => {
        const found = referenceSteering.dynamicVjp(about, dy);
        return {
          y: referenceSteering.dynamicForward(about),
          gradients: [found.h, found.probe, Float64Array.of(found.bias)],
        };
      },
    );
  });

  it('gated-scalar', async () => {
    const alpha = f32(random.normals(P));
    const about = { h, width: W, slots, strength, alpha, probe, threshold: Math.fround(0.2), temperature: 0.5, tiny };
    await check(
      { kind: 'gated-scalar', temperature: 0.5 },
      { alpha: [alpha, [P, 1]], probe: [probe, [W, 1]], threshold: [Float64Array.of(about.threshold), [1, 1]] },
      (dy) => {
        const found = referenceSteering.gatedVjp(about, dy);
        return {
          y: referenceSteering.gatedForward(about),
          gradients: [found.h, found.alpha, found.probe, Float64Array.of(found.threshold)],
        };
      },
    );
  });

  it('subspace-scale', async () => {
    const rank = 5;
    const alpha = f32(random.normals(P * rank));
    const basis = f32(random.normals(W * rank, 0.3));
    const about = { h, width: W, slots, strength, alpha, basis, rank };
    await check({ kind: 'subspace-scale', rank }, { alpha: [alpha, [P, rank]], basis: [basis, [W, rank]] }, (dy) => {
      const found = referenceSteering.subspaceVjp(about, dy);
      return { y: referenceSteering.subspaceForward(about), gradients: [found.h, found.alpha] };
    });
  });
});

describe('objectives', () => {
  const [n, V] = [3, 41];
  const goals = [
    ...(['hinge', 'softplus', 'linear'] as const).map((effect) => ({ kind: 'flip', margin: 2, effect }) as const),
    { kind: 'parity', tolerance: 0.1, retentionShare: 0.2, retentionWeight: 2 } as const,
  ];
  it.each(goals)('%o', async (goal) => {
    const gpu = await testGpu();
    using step = gpu.step();
    const settled = settleObjective({ goal, faithfulnessWeight: 0.7 });
    const S = settled.strengths.length;
    const N = n * S;
    const x = f32(random.normals(N * V, 2));
    const logp = f32(referenceSoftmaxLosses.logSoftmaxForward(random.normals(n * V, 2), V).values);
    const answers = Array.from({ length: N }, (_, i) => [(i % n) * 3, (i % n) * 3 + 7] as const);
    const ids = Uint32Array.from(answers.flat());
    const strengths = Array.from({ length: N }, (_, i) => settled.strengths[Math.floor(i / n)]!);
    const retained = Array.from({ length: N }, (_, i) => goal.kind === 'parity' && i % n === 1);
    const logits = fromData(step, Float32Array.from(x), [N, V]);
    const reference = fromData(step, Float32Array.from(logp), [n, V]);
    const { effect, drift } = recordObjective(step, settled, logits, { answers, strengths, retained, reference });
    const [dEffect, dDrift] = [effect, drift].map((root) => gradients(step, root, 'ones', [logits])[0] as Tensor);
    const [E, F, dE, dF] = await Promise.all(
      [effect, drift, dEffect!, dDrift!].map((tensor) => readFloats(step, tensor)),
    );
    const kept = Float64Array.from({ length: N }, (_, i) => {
      const [c, w] = answers[i]!;
      return retained[i] ? logp[(i % n) * V + c]! - logp[(i % n) * V + w]! : Number.NaN;
    });
    const about = {
      x,
      width: V,
      ids,
      strength: Float64Array.from(strengths),
      goal: goal.kind === 'parity' ? { ...goal, kept } : goal,
    };
    expect(E![0]).toBeCloseTo(referenceSteering.effectForward(about), 3);
    const slopes = referenceSteering.effectVjp(about);
    dE!.forEach((slope, i) => expect(Math.abs(slope - slopes[i]!)).toBeLessThan(1e-4));
    const bucket = { logp, x, width: V, ids, form: 'bucket' as const };
    const drifts = referenceBucketDivergence.bucketDivergenceForward(bucket).values;
    expect(F![0]).toBeCloseTo(
      drifts.reduce((a, b) => a + b, 0),
      4,
    );
    const driftSlopes = referenceBucketDivergence.bucketDivergenceVjp(bucket, new Float64Array(N).fill(1)).values;
    dF!.forEach((slope, i) => expect(Math.abs(slope - driftSlopes[i]!)).toBeLessThan(1e-5));
    // The logits of a row may all rise together: no gradient of a row has a sum.
    for (let row = 0; row < N; row++) {
      const sum = (all: Float32Array): number => all.subarray(row * V, (row + 1) * V).reduce((a, b) => a + b, 0);
      expect(Math.abs(sum(dE!)) + Math.abs(sum(dF!))).toBeLessThan(1e-5);
    }
  });
});

describe('a whole model', () => {
  const model = referenceEap.randomModel(SIZES, 7);
  const examples = examplesOf(3, { lengths: [5, 4, 6] });
  const positions = positionTable(
    examples.map(({ prompt, roles }) => ({ length: prompt.length, roles })),
    'from-end',
    { skip: 1 },
  );
  const count = positions.names.length;

  /** E + λ_F F of one α per site, layer and place from the end, in float64. */
  function lossOf(alpha: Float64Array, all: readonly SteeringExample[], weight: number): number {
    const run = (example: SteeringExample, beta: number): Float64Array =>
      referenceEap.eapForward(model, referenceEap.tokenEmbeddings(model, example.prompt), undefined, (site, layer, x) =>
        x.map((value, i) => {
          const t = Math.floor(i / SIZES.width);
          const place = example.prompt.length - 1 - t;
          if (t < 1 || place >= count) return value;
          return value * (1 + beta * alpha[(layer * 2 + (site === 'attn-out' ? 0 : 1)) * count + place]!);
        }),
      ).logits;
    let [effect, drift] = [0, 0];
    for (const example of all) {
      const logp = referenceSoftmaxLosses.logSoftmaxForward(run(example, 0), SIZES.vocabulary).values;
      for (const beta of [1, -1]) {
        const x = run(example, beta);
        effect += Math.max(0, 2 - beta * (x[example.correct]! - x[example.wrong]!));
        const ids = Uint32Array.of(example.correct, example.wrong);
        drift += referenceBucketDivergence.bucketDivergenceForward({
          logp,
          x,
          width: SIZES.vocabulary,
          ids,
          form: 'bucket',
        }).values[0]!;
      }
    }
    return effect / all.length + (weight * drift) / (2 * all.length);
  }

  it.each([
    { at: 'zero', alpha: () => 0 },
    { at: 'anywhere', alpha: (i: number) => 0.3 * Math.sin(5 * i + 1) },
  ])(
    'ActivScalar, α $at: the gradient is that of differences in float64, for prompts of three lengths',
    async ({ alpha }) => {
      const gpt2 = await gpt2Of(model);
      const weight = 0.8;
      const steering = new Steering(gpt2, {
        method: { kind: 'activ-scalar' },
        sites: ['hook_attn_out', 'hook_mlp_out'],
        positions,
      });
      const values = new Float64Array(2 * SIZES.layers * count).map((_, i) => Math.fround(alpha(i)));
      steering.places.forEach(({ at }, i) =>
        steering.write(at, 'alpha', Float32Array.from(values.subarray(i * count, (i + 1) * count))),
      );
      const objective = settleObjective({ goal: { kind: 'flip', margin: 2 }, faithfulnessWeight: weight });
      const prepared = await prepareExamples(gpt2, examples, [], {});
      for (const atOnce of [3, 1]) {
        using step = gpt2.gpu.step();
        const recorded = recordUpdate(step, { model: gpt2, steering, objective, producedWeight: 0 }, prepared, atOnce);
        const [effect, drift, ...slopes] = await Promise.all(
          [recorded.effect, recorded.drift, ...recorded.slopes].map((tensor) => readFloats(step, tensor)),
        );
        const loss = lossOf(values, examples, weight);
        expect(effect![0]! + weight * drift![0]!).toBeCloseTo(loss, 3);
        const found = slopes.flatMap((slope) => [...slope]);
        const scale = Math.max(...found.map(Math.abs));
        found.forEach((slope, i) => {
          const moved = (by: number): number =>
            lossOf(
              values.map((value, j) => value + (i === j ? by : 0)),
              examples,
              weight,
            );
          const difference = (moved(1e-5) - moved(-1e-5)) / 2e-5;
          expect(Math.abs(slope - difference), `cell ${i}`).toBeLessThan(2e-4 * scale);
        });
      }
      steering.dispose();
      gpt2.dispose();
    },
  );

  it('the first gradient of ActivScalar is gradient times activation, of one backward pass of the bare model', async () => {
    const gpt2 = await gpt2Of(model);
    const one = examplesOf(1);
    const table = positionTable(
      one.map(({ prompt }) => ({ length: prompt.length })),
      'absolute',
    );
    const steering = new Steering(gpt2, {
      method: { kind: 'activ-scalar' },
      sites: ['hook_attn_out', 'hook_mlp_out'],
      positions: table,
    });
    const objective = {
      ...settleObjective({ goal: { kind: 'flip', effect: 'linear' }, faithfulnessWeight: 0 }),
      strengths: [1],
    };
    const prepared = await prepareExamples(gpt2, one, [], {});
    using step = gpt2.gpu.step();
    const { slopes } = recordUpdate(step, { model: gpt2, steering, objective, producedWeight: 0 }, prepared, 1);
    const sites = steering.places.map(({ at }) => at);
    const { prompt, correct, wrong } = one[0]!;
    const bare = gpt2.run(
      step,
      { tokens: { ids: Uint32Array.from(prompt), B: 1, T: prompt.length, lengths: [prompt.length] } },
      { capture: sites, logits: 'last' },
    );
    const seed = new Float32Array(SIZES.vocabulary);
    [seed[correct], seed[wrong]] = [-1, 1];
    const captured = sites.map((at) => bare.at(at));
    const backward = gradients(step, bare.logits, fromData(step, seed, [1, SIZES.vocabulary]), captured);
    const products = captured.map((x, i) => dot(step, x, backward[i]!, { axes: 2 }));
    const [found, expected] = await Promise.all(
      [slopes, products].map((tensors) => Promise.all(tensors.map((tensor) => readFloats(step, tensor)))),
    );
    found!.forEach((slope, i) => slope.forEach((value, t) => expect(value).toBeCloseTo(expected![i]![t]!, 4)));
    // In the last layer only the last position is read: every other cell is structurally dead, exactly.
    for (const slope of found!.slice(2)) expect(slope.slice(0, -1)).toEqual(new Float32Array(prompt.length - 1));
    expect(found!.slice(0, 2).every((slope) => slope.every((value) => value !== 0))).toBe(true);
    steering.dispose();
    gpt2.dispose();
  });
});

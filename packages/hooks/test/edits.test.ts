// Interventions as values: frozen, described by JSON and named tensors, fitted to the run they are in.
import { fromData, readFloats, slice } from '@limn/tensor';
import { testGpu, ToyModel } from '@limn/testing';
import { expect, test } from 'vitest';
import {
  ablate,
  add,
  freeze,
  intervene,
  interpolate,
  patch,
  replaceMlp,
  scale,
  tokenBatch,
  withAdapter,
  type Intervention,
} from '../src/index.js';
import { apart, toy } from './toy.js';

const site = 'blocks.0.hook_resid_post';

test('constructors give frozen values whose spec says everything but the tensors', async () => {
  const model = await toy();
  const step = model.gpu.step();
  const vector = fromData(step, new Float32Array(15).fill(2), [15]);
  const linear = model.linears()[0];
  if (!linear) throw new Error('the toy has linear maps');
  const edits: Intervention[] = [
    patch(site, vector, { positions: [1, 2], rows: [0] }),
    scale(site, 3),
    add(site, vector, { phase: 'generated' }),
    ablate(site, 'zero'),
    ablate(site, vector),
    interpolate(site, vector, vector, 0.25),
    freeze(site),
    replaceMlp(1, { label: 'nothing', input: 'hook_mlp_in', apply: (_step, x) => x }),
    ...withAdapter('a', [{ linear, a: vector, b: vector, factor: 1 }]),
  ];
  for (const edit of edits) {
    expect(Object.isFrozen(edit) && Object.isFrozen(edit.spec) && Object.isFrozen(edit.spec.options)).toBe(true);
    expect(JSON.parse(JSON.stringify(edit.spec.options))).toEqual(edit.spec.options);
    expect(edit.spec.options?.['at']).toBe(edit.at);
  }
  expect(edits[0]?.label).toBe('patch blocks.0.hook_resid_post at positions 1,2 in rows 0');
  expect(edits[0]?.spec).toMatchObject({
    kind: 'patch',
    options: { positions: [1, 2], rows: [0] },
    tensors: { value: vector },
  });
  expect(edits[7]?.reads).toEqual(['blocks.1.hook_mlp_in']);
  expect(intervene(site, 'mine', (x) => x).spec).toEqual({ kind: 'custom' });
});

test('positions and rows are whole numbers from 0: a negative one would edit padding', async () => {
  const model = await toy();
  const step = model.gpu.step();
  const tokens = tokenBatch([[1, 2, 3], [4]], model.info);
  for (const extent of [{ positions: [0, -1] }, { positions: [0.5] }, { rows: [-1] }])
    expect(() => model.run(step, { tokens }, { interventions: [scale(site, 2, extent)] })).toThrow(
      expect.objectContaining({ code: 'hooks/bad-extent' }),
    );
  const beyond = model.run(step, { tokens }, { interventions: [scale(site, 2, { rows: [1], positions: [1] })] });
  expect(beyond.skipped).toMatchObject([{ reason: 'position' }]); // row 1 has one token, and padding is not edited
  step.dispose();
});

test('values fit the whole batch, a micro-batch of it, and trailing axes', async () => {
  const model = await toy();
  const rows = [
    [1, 2, 3],
    [4, 5, 6],
    [7, 8, 9],
  ];
  const step = model.gpu.step();
  const whole = model.run(
    step,
    {
      tokens: tokenBatch(
        [
          [9, 9, 9],
          [8, 7, 6],
          [0, 1, 2],
        ],
        model.info,
      ),
    },
    { capture: [site] },
  );
  const value = whole.at(site);
  const all = model.run(step, { tokens: tokenBatch(rows, model.info) }, { interventions: [patch(site, value)] });
  const part = model.run(
    step,
    { tokens: tokenBatch(rows.slice(1), model.info) },
    { interventions: [patch(site, value)], rows: { start: 1, count: 2 } },
  );
  const mean = fromData(
    step,
    Float32Array.from({ length: 15 }, (_, i) => i),
    [15],
  );
  const ablated = model.run(
    step,
    { tokens: tokenBatch(rows, model.info) },
    { interventions: [ablate(site, mean)], capture: [site] },
  );
  const half = model.run(
    step,
    { tokens: tokenBatch(rows, model.info) },
    { interventions: [interpolate(site, mean, value, 0.25)], capture: [site] },
  );
  const reads = [slice(step, all.logits, 0, 3, 6), part.logits, ablated.at(site), half.at(site), value];
  const [expected, got, means, mixed, values] = (await Promise.all(reads.map((each) => readFloats(step, each)))) as [
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  // The same rows through the same kernels, in a smaller batch: logits of a few units, f32.
  expect(apart(got, expected)).toBeLessThan(1e-5);
  expect([...means]).toEqual(Array.from({ length: 9 * 15 }, (_, i) => i % 15));
  expect(
    apart(
      mixed,
      Float32Array.from(values, (v, i) => (i % 15) + 0.25 * (v - (i % 15))),
    ),
  ).toBeLessThan(1e-5);
});

test('an edit of the pattern holds in its positions only, with one head as with several', async () => {
  const gpu = await testGpu();
  for (const heads of [1, 2]) {
    const sizes = { layers: 1, heads, headWidth: 4, mlpWidth: 8, vocabulary: 7, maxPositions: 4 };
    const model = new ToyModel(gpu, sizes);
    using step = gpu.step();
    const site = 'blocks.0.attn.hook_pattern';
    const tokens = tokenBatch([[1, 2, 3]], model.info);
    const run = model.run(
      step,
      { tokens },
      { interventions: [ablate(site, 'zero', { positions: [1] })], capture: [site] },
    );
    const pattern = await readFloats(step, run.at(site));
    const rows = Array.from({ length: heads * 3 }, (_, row) => pattern.slice(3 * row, 3 * row + 3));
    expect(rows.map((row) => Math.round(row.reduce((total, share) => total + share, 0)))).toEqual(
      Array.from({ length: heads }, () => [1, 0, 1]).flat(),
    );
  }
});

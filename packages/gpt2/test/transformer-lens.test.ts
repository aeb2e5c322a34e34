// Activations, logit lens, attributions and patching sweeps against TransformerLens's own, for the same weights (golden file of the real library).
import { readFileSync } from 'node:fs';
import {
  decomposeResid,
  directLogitAttribution,
  fullResidDecomposition,
  getActPatchAttnHeadKAllPos,
  getActPatchAttnHeadKByPos,
  getActPatchAttnHeadOutAllPos,
  getActPatchAttnHeadOutByPos,
  getActPatchAttnHeadPatternAllPos,
  getActPatchAttnHeadPatternByPos,
  getActPatchAttnHeadPatternDestSrcPos,
  getActPatchAttnHeadQAllPos,
  getActPatchAttnHeadQByPos,
  getActPatchAttnHeadVAllPos,
  getActPatchAttnHeadVByPos,
  getActPatchAttnOut,
  getActPatchMlpOut,
  getActPatchResidMid,
  getActPatchResidPre,
  hookNames,
  logitAttrs,
  logitDifference,
  logitLens,
  neuronLogitAttrs,
  runWithCache,
  stackHeadResults,
  stackNeuronResults,
  type HookName,
} from '@limn/hooks';
import { readFloats } from '@limn/tensor';
import { testGpu } from '@limn/testing';
import { describe, expect, test } from 'vitest';
import { openFolder } from '../src/node.js';
import {
  loadGpt2,
  memoryFiles,
  readSafetensorsHeader,
  readTensorF32,
  transformerLensProcessing,
  type Gpt2,
} from '../src/index.js';

const folder = new URL('golden/transformer-lens', import.meta.url).pathname;

type Golden = (name: string) => { readonly shape: readonly number[]; readonly data: Float32Array };

/** Every tensor of a golden file by name: float64 results of TransformerLens, rounded to f32. */
async function readGolden(file = 'golden'): Promise<Golden> {
  const files = memoryFiles({ golden: readFileSync(`${folder}/${file}.safetensors`) });
  const { tensors } = await readSafetensorsHeader(files, 'golden');
  const values = new Map(
    await Promise.all(
      Array.from(
        tensors,
        async ([name, entry]) => [name, { shape: entry.shape, data: await readTensorF32(files, entry) }] as const,
      ),
    ),
  );
  return (name) => {
    const found = values.get(name);
    if (!found) throw new Error(`the golden file has no ${name}`);
    return found;
  };
}

type Variant = 'raw' | 'processed';
const loaded = new Map<Variant, Promise<{ readonly model: Gpt2; readonly golden: Golden }>>();
/** The model with its weights as they are or as TransformerLens processes them, and the golden file; once for all tests. */
function load(variant: Variant): Promise<{ readonly model: Gpt2; readonly golden: Golden }> {
  const options = variant === 'raw' ? {} : { processing: transformerLensProcessing };
  const made =
    loaded.get(variant) ??
    Promise.all([testGpu().then((gpu) => loadGpt2(gpu, openFolder(folder), options)), readGolden()]).then(
      ([{ model }, golden]) => ({ model, golden }),
    );
  loaded.set(variant, made);
  return made;
}

const norm = (x: ArrayLike<number>): number => Math.sqrt(Array.from(x).reduce((sum, value) => sum + value * value, 0));

/**
 * ‖ours − f64‖ ≤ 8·‖TransformerLens f32 − f64‖ + 2e-6·‖f64‖ (design §2.7): as close as the library's own f32, where the golden file
 * has its error.
 */
function expectClose(got: ArrayLike<number>, want: Float32Array, libraryError: number, name: string): void {
  expect(got.length, name).toBe(want.length);
  const error = norm(Array.from(got, (value, i) => value - (want[i] as number)));
  expect(error, name).toBeLessThanOrEqual(8 * libraryError + 2e-6 * norm(want));
}

/** [B, T] ids of a golden tensor as prompts. */
function prompts(golden: Golden, name: 'clean' | 'corrupted'): number[][] {
  const { shape, data } = golden(name);
  const [B, T] = shape as [number, number];
  return Array.from({ length: B }, (_, b) => Array.from(data.subarray(b * T, (b + 1) * T)));
}

/** Correct and incorrect token ids, one of each per prompt. */
function answers(golden: Golden): [correct: number[], incorrect: number[]] {
  const ids = Array.from(golden('answers').data);
  return [ids.slice(0, ids.length / 2), ids.slice(ids.length / 2)];
}

/** Scores of keys that a query cannot see mean nothing; the golden file has 0 there. */
function seen(name: HookName, shape: readonly number[], data: Float32Array): Float32Array {
  if (!name.endsWith('hook_attn_scores')) return data;
  const T = shape.at(-1) as number;
  return data.map((value, i) => (i % T <= Math.floor(i / T) % T ? value : 0));
}

describe.each(['raw', 'processed'] as const)('%s weights', (variant) => {
  test('every activation at every hook, and the logits', async () => {
    const { model, golden } = await load(variant);
    const second = await readGolden('golden-2');
    const { cache, logits } = await runWithCache(model, prompts(golden, 'clean'), { names: '*' });
    const check = (name: string, shape: readonly number[], data: ArrayLike<number>): void => {
      // TransformerLens 3 moved this one hook in front of γ and β; ours is where HookedTransformer had it, and what the linear maps read.
      const moved = variant === 'raw' && name.endsWith('hook_normalized');
      const want = moved ? second(`raw/${name}`) : golden(`${variant}/${name}`);
      expect(shape, name).toEqual(want.shape);
      expectClose(data, want.data, golden(`error/${variant}/${name}`).data[0] as number, name);
    };
    expect(cache.names).toEqual(hookNames(model.info));
    check('logits', logits.shape, logits.data);
    for (const name of cache.names) {
      const { shape, data } = await cache.read(name);
      check(name, shape, seen(name, shape, data));
    }
    cache.dispose();
  });

  test('the logit lens of every stream', async () => {
    const { model, golden } = await load(variant);
    const { labels, logits } = await logitLens(model, prompts(golden, 'clean'), { position: 'all', inclMid: true });
    expect(labels).toEqual(['0_pre', '0_mid', '1_pre', '1_mid', '2_pre', '2_mid', 'final_post']);
    const want = golden(`${variant}/lens`);
    expect(logits.shape).toEqual(want.shape);
    expectClose(logits.data, want.data, golden(`error/${variant}/lens`).data[0] as number, 'lens');
  });

  test('residual decompositions and direct logit attributions', async () => {
    const { model, golden } = await load(variant);
    const [correct, incorrect] = answers(golden);
    const { cache } = await runWithCache(model, prompts(golden, 'clean'), { names: '*', logits: 'none' });
    const step = model.gpu.step();
    const position = 'last';
    const stacks = {
      components: decomposeResid(step, cache, { position }),
      heads: stackHeadResults(step, cache, { position, remainder: true }),
      full: fullResidDecomposition(step, cache, { position, expandNeurons: false }),
      neurons: stackNeuronResults(step, cache, { position }),
    };
    const neurons = readFloats(step, neuronLogitAttrs(step, cache, { correct, incorrect, position }));
    const read = Object.entries(stacks).map(async ([name, { labels, values }]) => {
      const attrs = logitAttrs(step, cache, values, { correct, incorrect, position });
      const [vectors, shares] = await Promise.all([readFloats(step, values), readFloats(step, attrs)]);
      return { name, labels, vectors, shares };
    });
    for (const { name, labels, vectors, shares } of await Promise.all(read)) {
      const want = golden(`${variant}/${name}`);
      expect(labels.length, name).toBe(want.shape[0]);
      expectClose(shares, want.data, golden(`error/${variant}/${name}`).data[0] as number, `attributions to ${name}`);
      if (name === 'neurons') continue;
      const error = golden(`error/${variant}/stack.${name}`).data[0] as number;
      expectClose(vectors, golden(`${variant}/stack.${name}`).data, error, `stack of ${name}`);
    }
    expectClose(
      await neurons,
      golden(`${variant}/neurons`).data,
      golden(`error/${variant}/neurons`).data[0] as number,
      'neurons without their vectors',
    );
    expect(stacks.full.labels).toEqual([
      ...stacks.heads.labels.slice(0, 9),
      '0_mlp_out',
      '1_mlp_out',
      '2_mlp_out',
      'embed',
      'pos_embed',
      'bias',
    ]);
    cache.dispose();
    const { values } = await directLogitAttribution(model, prompts(golden, 'clean'), { correct, incorrect });
    const want = golden(`${variant}/components`).data;
    expectClose(
      values.data.subarray(0, want.length),
      want,
      golden(`error/${variant}/components`).data[0] as number,
      'one call',
    );
  });
});

test('attributions add up on weights stored in f16, processed or not', async () => {
  const { golden } = await load('raw');
  const gpu = await testGpu();
  const [correct, incorrect] = answers(golden);
  for (const processing of [{}, transformerLensProcessing]) {
    const { model } = await loadGpt2(gpu, openFolder(folder), { weights: 'f16', processing });
    for (const by of ['component', 'head', 'neuron'] as const) {
      const { labels, values, logits } = await directLogitAttribution(model, prompts(golden, 'clean'), {
        correct,
        incorrect,
        by,
      });
      const sums = Array.from(logits.data, (_, b) =>
        labels.reduce((sum, _label, n) => sum + (values.data[n * logits.data.length + b] as number), 0),
      );
      // 1e-6: the round-off of the parts themselves, a few units of size 1.
      expectClose(sums, logits.data, 1e-6, `${model.info.processing}, ${by}`);
    }
    model.dispose();
  }
});

describe('patching sweeps', () => {
  const sweeps = {
    resid_pre: getActPatchResidPre,
    resid_mid: getActPatchResidMid,
    attn_out: getActPatchAttnOut,
    mlp_out: getActPatchMlpOut,
    attn_head_out_by_pos: getActPatchAttnHeadOutByPos,
    attn_head_q_by_pos: getActPatchAttnHeadQByPos,
    attn_head_k_by_pos: getActPatchAttnHeadKByPos,
    attn_head_v_by_pos: getActPatchAttnHeadVByPos,
    attn_head_pattern_by_pos: getActPatchAttnHeadPatternByPos,
    attn_head_pattern_dest_src_pos: getActPatchAttnHeadPatternDestSrcPos,
    attn_head_out_all_pos: getActPatchAttnHeadOutAllPos,
    attn_head_q_all_pos: getActPatchAttnHeadQAllPos,
    attn_head_k_all_pos: getActPatchAttnHeadKAllPos,
    attn_head_v_all_pos: getActPatchAttnHeadVAllPos,
    attn_head_pattern_all_pos: getActPatchAttnHeadPatternAllPos,
  } as const;

  /** What both sweeps of one test need. */
  async function request() {
    const { model, golden } = await load('raw');
    const [clean, corrupted] = [prompts(golden, 'clean'), prompts(golden, 'corrupted')];
    return { model, golden, options: { clean, corrupted, metric: logitDifference(...answers(golden)) } };
  }

  test.each(Object.entries(sweeps))('get_act_patch_%s', async (name, sweep) => {
    const { model, golden, options } = await request();
    const found = await sweep(model, { ...options, batchRows: 128 });
    const want = golden(`sweep/${name}`);
    expect(found.values.shape).toEqual(want.shape);
    // The golden values are rounded to f32 and have no error of their own in the file.
    expectClose(found.values.data, want.data, 0, name);
    expectClose(
      [found.clean, found.corrupted],
      Float32Array.of(golden('sweep/source').data[0] as number, golden('sweep/base').data[0] as number),
      0,
      'unpatched',
    );
  });

  test.each(['resid_pre', 'attn_head_out_all_pos'] as const)('the other way round: %s', async (name) => {
    const { model, golden, options } = await request();
    const found = await sweeps[name](model, { ...options, direction: 'noise' });
    expectClose(found.values.data, golden(`sweep.noise/${name}`).data, 0, name);
  });
});

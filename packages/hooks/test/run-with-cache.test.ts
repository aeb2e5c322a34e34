// One-call runs: what is kept, when a run ends, what is left on the GPU, short names and filters.
import { LimnError } from '@limn/gpu';
import { mul, readFloats, scale } from '@limn/tensor';
import { refusal } from '@limn/testing';
import { describe, expect, test } from 'vitest';
import {
  ActivationCache,
  actName,
  hookNames,
  intervene,
  positionRows,
  runWithCache,
  runWithHooks,
  scale as scaleEdit,
  selectSites,
  tokenBatch,
  topTokens,
} from '../src/index.js';
import { apart, toy } from './toy.js';

const prompts = [
  [1, 4, 7, 2],
  [3, 3, 9],
];

async function plain(capture: readonly ReturnType<typeof hookNames>[number][]) {
  const model = await toy();
  const step = model.gpu.step();
  const run = model.run(step, { tokens: tokenBatch(prompts, model.info) }, { capture });
  const [logits, ...values] = await Promise.all([
    readFloats(step, run.logits),
    ...capture.map((name) => readFloats(step, run.at(name))),
  ]);
  return { logits: logits as Float32Array, values };
}

describe('runWithCache', () => {
  test('nothing is kept by default; the logits are those of a plain run', async () => {
    const model = await toy();
    const { cache, logits, skipped } = await runWithCache(model, prompts);
    expect(cache.names).toEqual([]);
    expect(cache.byteLength).toBe(0);
    expect(skipped).toEqual([]);
    expect(logits.shape).toEqual([2, 4, 13]);
    expect(logits.data).toEqual((await plain([])).logits);
    expect((await runWithCache(model, prompts, { logits: 'last' })).logits.shape).toEqual([2, 13]);
    expect((await runWithCache(model, prompts[0] as number[], { logits: [1] })).logits.shape).toEqual([1, 13]);
  });

  test('every site, by full name and by short name, equals the capture of a plain run; it can be read long after the run', async () => {
    const model = await toy();
    const names = hookNames(model.info);
    const { values } = await plain(names);
    const { cache } = await runWithCache(model, prompts, { names: '*' });
    expect(cache.names).toEqual(names);
    for (const [i, name] of names.entries()) expect((await cache.read(name)).data, name).toEqual(values[i]);
    expect((await cache.read('q', 1)).data).toEqual((await cache.read('blocks.1.attn.hook_q')).data);
    expect(cache.get('ln2.scale', -1)).toBe(cache.get('blocks.1.ln2.hook_scale'));
    expect(cache.get('embed')).toBe(cache.get('hook_embed'));
    expect(cache.get('ln_final.scale').shape).toEqual([2, 4, 1]);
    expect(cache.pattern(0)).toBe(cache.get('pattern', 0));
    expect(cache.has('post', 1)).toBe(true);
    const step = model.gpu.step();
    const all = cache.stackActivation(step, 'mlp_out');
    expect(all.shape).toEqual([2, 2, 4, 15]);
    const stacked = await readFloats(step, all);
    expect(stacked.subarray(120)).toEqual((await cache.read('mlp_out', 1)).data);
    cache.dispose();
  });

  test('disposing frees everything, twice is harmless, and what was there is named in the refusal', async () => {
    const model = await toy();
    const live = async (): Promise<number> => {
      await model.gpu.step().submit();
      return model.gpu.counters.bytesLive;
    };
    const use = async (): Promise<void> => {
      const { cache } = await runWithCache(model, prompts, { names: ['resid_post', 'pattern'] });
      await cache.read('resid_post', 0);
      cache.dispose();
      cache.dispose();
      expect((await refusal(() => cache.get('resid_post', 0))).code).toBe('hooks/not-captured');
    };
    for (let i = 0; i < 3; i++) await use();
    const settled = await live();
    for (let i = 0; i < 20; i++) await use();
    expect(await live()).toBe(settled);
    const { cache } = await runWithCache(model, prompts, { names: 'z' });
    const missing = await refusal(() => cache.get('pattern', 0));
    expect(missing.message).toContain('blocks.0.attn.hook_pattern');
    expect(missing.hint).toContain('blocks.0.attn.hook_z');
    cache.dispose();
  });

  test('a refused run and an aborted one keep nothing', async () => {
    const model = await toy();
    const settled = model.gpu.counters.buffersLive;
    const names = ['resid_post'] as const;
    const late = [scaleEdit('blocks.1.hook_mlp_out', 2)];
    expect(
      (await refusal(() => runWithCache(model, prompts, { names, stopAtLayer: 1, interventions: late }))).code,
    ).toBe('hooks/unreachable-site');
    expect((await refusal(() => runWithCache(model, [[99]], { names }))).code).toBe('tokens/not-in-vocabulary');
    const stopped = new AbortController();
    stopped.abort();
    expect((await refusal(() => runWithCache(model, prompts, { names, signal: stopped.signal }))).code).toBe('aborted');
    expect(model.gpu.counters.buffersLive).toBe(settled);
  });

  test('stopAtLayer gives the stream in front of that layer; short names take what is reached', async () => {
    const model = await toy();
    const result = await runWithCache(model, prompts, { names: ['resid_post', 'embed'], stopAtLayer: 1 });
    expect(result.cache.names).toEqual(['hook_embed', 'blocks.0.hook_resid_post']);
    expect(result.resid.shape).toEqual([2, 4, 15]);
    expect(result.resid.data).toEqual((await result.cache.read('resid_post', 0)).data);
    expect((await refusal(() => result.logits)).code).toBe('hooks/no-logits');
    result.cache.dispose();
  });

  test('without logits a run ends behind the last site that is asked for', async () => {
    const model = await toy();
    const dispatches = async (options: Parameters<typeof runWithCache>[2]): Promise<number> => {
      const before = model.gpu.counters.snapshot();
      const { cache } = await runWithCache(model, prompts, options);
      cache.dispose();
      return model.gpu.counters.since(before).dispatches;
    };
    const names = 'blocks.0.hook_resid_pre' as const;
    const whole = await dispatches({ names });
    const first = await dispatches({ names, logits: 'none' });
    const edited = await dispatches({ names, logits: 'none', interventions: [scaleEdit('blocks.1.hook_mlp_out', 2)] });
    expect(first).toBeLessThan(0.6 * whole);
    expect(edited).toBeGreaterThan(first);
    const { cache } = await runWithCache(model, prompts, { names: 'ln_final.scale', logits: 'none' });
    expect((await cache.read('ln_final.scale')).data).toEqual((await plain(['ln_final.hook_scale'])).values[0]);
    cache.dispose();
  });

  test('interventions hold, and the cache shows what they made', async () => {
    const model = await toy();
    const { cache, logits } = await runWithCache(model, prompts, {
      names: ['mlp_out'],
      interventions: [scaleEdit('blocks.0.hook_mlp_out', 0)],
    });
    expect((await cache.read('mlp_out', 0)).data.every((value) => value === 0)).toBe(true);
    expect(apart(logits.data, (await plain([])).logits)).toBeGreaterThan(0.01);
    cache.dispose();
  });

  test('a view of a run in its step is on the tape and is read through the step', async () => {
    const model = await toy();
    const step = model.gpu.step();
    const run = model.run(step, { tokens: tokenBatch(prompts, model.info) }, { capture: ['blocks.0.hook_mlp_out'] });
    const view = ActivationCache.view(model, run, ['blocks.0.hook_mlp_out']);
    expect(view.get('mlp_out', 0)).toBe(run.at('blocks.0.hook_mlp_out'));
    expect((await refusal(() => view.read('mlp_out', 0))).code).toBe('hooks/not-kept');
    view.dispose();
    await readFloats(step, run.logits);
  });

  test('a kept cache leaves alone what the run was started from', async () => {
    const model = await toy();
    const { cache } = await runWithCache(model, prompts, { names: 'resid_pre' });
    const step = model.gpu.step();
    const resid = cache.get('resid_pre', 1);
    const run = model.run(
      step,
      { resid, layer: 1, at: 'pre', lengths: [4, 3] },
      { capture: ['blocks.1.hook_resid_pre', 'blocks.1.hook_mlp_out'] },
    );
    const later = ActivationCache.keep(step, model, run, ['blocks.1.hook_resid_pre', 'blocks.1.hook_mlp_out']);
    await step.submit();
    expect((await later.read('resid_pre', 1)).data).toEqual((await cache.read('resid_pre', 1)).data);
    later.dispose();
    expect((await cache.read('resid_pre', 1)).data).toHaveLength(120);
    cache.dispose();
  });

  test('positions: the last token of each prompt, or one that all have', async () => {
    const model = await toy();
    const { cache } = await runWithCache(model, prompts, { names: 'resid_pre' });
    const step = model.gpu.step();
    const [last, second, whole] = (await Promise.all(
      [
        cache.pick(step, cache.get('resid_pre', 1), 'last'),
        cache.pick(step, cache.get('resid_pre', 1), 1),
        cache.get('resid_pre', 1),
      ].map((x) => readFloats(step, x)),
    )) as [Float32Array, Float32Array, Float32Array];
    const at = (b: number, t: number): Float32Array => whole.subarray((b * 4 + t) * 15, (b * 4 + t + 1) * 15);
    expect([...last]).toEqual([...at(0, 3), ...at(1, 2)]);
    expect([...second]).toEqual([...at(0, 1), ...at(1, 1)]);
    for (const position of [3, -1, 0.5]) {
      expect((await refusal(() => positionRows(cache.lengths, cache.T, position))).code).toBe('hooks/bad-extent');
    }
    cache.dispose();
  });
});

describe('runWithHooks', () => {
  test('equals the same edits as interventions; a function may only look, and may stand at several sites', async () => {
    const model = await toy();
    const seen: string[] = [];
    const hooked = await runWithHooks(model, prompts, {
      hooks: [
        ['mlp_out', (x, ctx) => scale(ctx.step, x, 0.5)],
        ['blocks.*.attn.hook_pattern', (x, ctx) => void seen.push(`${ctx.site} ${x.shape.join('×')}`)],
        [(name) => name.endsWith('1.hook_mlp_out'), (x, ctx) => mul(ctx.step, x, x)],
      ],
    });
    expect(seen).toEqual(['blocks.0.attn.hook_pattern 2×3×4×4', 'blocks.1.attn.hook_pattern 2×3×4×4']);
    const { logits } = await runWithCache(model, prompts, {
      interventions: [
        scaleEdit('blocks.0.hook_mlp_out', 0.5),
        scaleEdit('blocks.1.hook_mlp_out', 0.5),
        intervene('blocks.1.hook_mlp_out', 'square', (x, ctx) => mul(ctx.step, x, x)),
        intervene('blocks.0.attn.hook_pattern', 'look', (x) => x),
        intervene('blocks.1.attn.hook_pattern', 'look', (x) => x),
      ],
    });
    expect(hooked.logits.data).toEqual(logits.data);
  });

  test('leaves nothing behind for the next run', async () => {
    const model = await toy();
    await runWithHooks(model, prompts, { hooks: [['mlp_out', (x, ctx) => scale(ctx.step, x, 0)]], logits: 'last' });
    expect((await runWithCache(model, prompts)).logits.data).toEqual((await plain([])).logits);
  });

  test('a read that was not declared and an unknown site are refused by name', async () => {
    const model = await toy();
    const read = await refusal(() =>
      runWithHooks(model, prompts, { hooks: [['blocks.0.hook_mlp_out', (_, ctx) => ctx.at('hook_embed')]] }),
    );
    expect(read.code).toBe('hooks/undeclared-read');
    const name = await refusal(() =>
      runWithHooks(model, prompts, { hooks: [['blocks.0.hook_mlpout', () => undefined]] }),
    );
    expect(name.code).toBe('hooks/unknown-site');
    expect(name.hint).toContain('blocks.0.hook_mlp_out');
  });
});

test('the likeliest tokens, largest first, with the probabilities of the softmax', async () => {
  expect(topTokens([0, Math.log(3), -1e30, Math.log(3), Math.log(2)], 3)).toEqual([
    { id: 1, logit: Math.log(3), probability: expect.closeTo(1 / 3, 12) },
    { id: 3, logit: Math.log(3), probability: expect.closeTo(1 / 3, 12) },
    { id: 4, logit: Math.log(2), probability: expect.closeTo(2 / 9, 12) },
  ]);
  const model = await toy();
  const { logits } = await runWithCache(model, [[1, 2, 3]], { logits: 'last' });
  const [first, ...others] = topTokens(logits, 99);
  const rows = { shape: [2, 3], data: new Float32Array(6) };
  expect(() => topTokens(rows)).toThrow(expect.objectContaining({ code: 'hooks/bad-rows' }));
  expect(others).toHaveLength(12);
  expect(first?.logit).toBe(Math.max(...logits.data));
});

test('misspelt names and short names without a layer do not compile', async () => {
  const model = await toy();
  const { cache } = await runWithCache(model, [[1, 2]], { names: 'resid_post' });
  // @ts-expect-error: no such short name
  expect(() => cache.get('resid_pots', 0)).toThrow(LimnError);
  // @ts-expect-error: which layer?
  expect(() => cache.get('resid_post')).toThrow(LimnError);
  // @ts-expect-error: no such site
  expect(() => cache.get('blocks.0.hook_resid')).toThrow(LimnError);
  cache.dispose();
});

describe('names', () => {
  test.each([
    [['k', 6], 'blocks.6.attn.hook_k'],
    [['k', 6, 'a'], 'blocks.6.attn.hook_k'],
    [['k6'], 'blocks.6.attn.hook_k'],
    [['pre', 2], 'blocks.2.mlp.hook_pre'],
    [['pre5'], 'blocks.5.mlp.hook_pre'],
    [['embed'], 'hook_embed'],
    [['normalized', 27, 'ln2'], 'blocks.27.ln2.hook_normalized'],
    [['scale4ln1'], 'blocks.4.ln1.hook_scale'],
    [['scale'], 'ln_final.hook_scale'],
    [['attn', 3], 'blocks.3.attn.hook_pattern'],
    [['query', 3], 'blocks.3.attn.hook_q'],
    [['attn_logits', 3], 'blocks.3.attn.hook_attn_scores'],
    [['resid_mid', 1], 'blocks.1.hook_resid_mid'],
    [['result', 0], 'blocks.0.attn.hook_result'],
    [['ln1.normalized', 0], 'blocks.0.ln1.hook_normalized'],
    [['blocks.0.hook_in'], 'blocks.0.hook_resid_pre'],
    [['hook_pos_embed'], 'hook_pos_embed'],
  ] as const)('actName(%j) is what get_act_name gives: %s', (given, name) => {
    expect(actName(...(given as readonly [string, number?, string?]))).toBe(name);
  });

  test('filters: short names, globs, predicates, lists; each site once and in the order of the run', () => {
    const two = { layers: 2, block: 'sequential' } as const;
    expect(selectSites('resid_mid', two)).toEqual(['blocks.0.hook_resid_mid', 'blocks.1.hook_resid_mid']);
    expect(selectSites(['ln_final.scale', 'blocks.1.attn.hook_?', 'blocks.0.hook_out', 'q'], two)).toEqual([
      'blocks.0.attn.hook_q',
      'blocks.0.hook_resid_post',
      'blocks.1.attn.hook_q',
      'blocks.1.attn.hook_k',
      'blocks.1.attn.hook_v',
      'blocks.1.attn.hook_z',
      'ln_final.hook_scale',
    ]);
    expect(selectSites((name) => name.includes('embed'), two)).toEqual(['hook_embed', 'hook_pos_embed']);
    expect(selectSites('*ln*scale', two, { endLayer: 1, final: false })).toEqual([
      'blocks.0.ln1.hook_scale',
      'blocks.0.ln2.hook_scale',
    ]);
    expect(selectSites([], two)).toEqual([]);
  });

  test.each(['resid_pots', 'blocks.7.hook_resid_pre', 'blocks.*.hook_nothing', 'constructor', 'blocks.0.__proto__'])(
    'a filter that takes nothing is refused: %s',
    async (filter) => {
      const error = await refusal(() => selectSites(filter, { layers: 2, block: 'sequential' }));
      expect(error.code).toBe('hooks/unknown-site');
      expect(error.hint).toMatch(/Nearest/);
    },
  );

  test('a parallel block has no resid_mid to take', async () => {
    const error = await refusal(() => selectSites('resid_mid', { layers: 2, block: 'parallel' }));
    expect(error.code).toBe('hooks/unknown-site');
  });
});

// Generation: what is chosen follows from the uncached model and the float64 sampler, whatever else runs in the batch; endings; edits; what is left behind.
import { LimnError } from '@limn/gpu';
import { fillNormal, gradients, persistent, randomUniform, readFloats } from '@limn/tensor';
import { referenceSampling } from '@limn/testing';
import { expect, test } from 'vitest';
import {
  add,
  generate,
  generateStream,
  intervene,
  scale,
  tokenBatch,
  withAdapter,
  type GeneratedToken,
  type GenerateOptions,
  type Intervention,
  type Sampling,
} from '../src/index.js';
import { toy } from './toy.js';

const { adjusted, candidates, cumulative, kept, probabilities } = referenceSampling;
/** Of unequal lengths, in the toy's 13 tokens. */
const prompts = [[1, 4, 7], [2, 2, 8, 5, 0], [3], [9, 12, 1, 1]];
const model = await toy();

/** Logits [V] behind each token of a text, without a cache. */
async function uncached(text: readonly number[], interventions: readonly Intervention[] = []): Promise<Float32Array[]> {
  const V = model.info.vocabulary;
  const step = model.gpu.step();
  const all = await readFloats(
    step,
    model.run(step, { tokens: tokenBatch([text], model.info) }, { interventions }).logits,
  );
  return text.map((_, t) => all.subarray(t * V, (t + 1) * V));
}

/** Whether a token is what the sampler must choose from these logits, to rounding of the logits themselves. */
function expectChosen(token: GeneratedToken, text: readonly number[], logits: Float32Array, sampling: Sampling): void {
  // Cached and uncached logits agree to 1e-5 of their size (the contract), which is below 10 here; shares of mass move by as much.
  const near = 1e-4;
  const how = {
    penalty: sampling.repetitionPenalty ?? 1,
    temperature: sampling.kind === 'sample' ? (sampling.temperature ?? 1) : 1,
  };
  const values = adjusted(logits, how, new Set(text));
  if (sampling.kind === 'greedy') {
    expect(Math.max(...values) - (values[token.id] as number)).toBeLessThan(near);
    return;
  }
  const { topK, topP = 1 } = sampling;
  const { before } = candidates(values, topK).find(({ id }) => id === token.id) ?? { before: Infinity };
  expect(before).toBeLessThan(topP + near);
  const chances = probabilities(values, kept(values, { topP, ...(topK === undefined ? {} : { topK }) }));
  const ends = cumulative(chances);
  const u = randomUniform(sampling.seed, sampling.streams?.[token.row] ?? token.row, token.position);
  expect(u).toBeGreaterThan((ends[token.id] as number) - near);
  expect(u).toBeLessThan((ends[token.id + 1] as number) + near);
}

const samplings: readonly Sampling[] = [
  { kind: 'greedy' },
  { kind: 'greedy', repetitionPenalty: 1.7 },
  { kind: 'sample', seed: 2, temperature: 2 },
  {
    kind: 'sample',
    seed: 3,
    temperature: 1.5,
    topK: 6,
    topP: 0.9,
    repetitionPenalty: 1.2,
    streams: [5, 900, 0, 4_000_000_000],
  },
];

test.each(samplings)('every token is what the uncached model and float64 choose: %o', async (sampling) => {
  const { rows, tokens } = await generate(model, prompts, { maxNewTokens: 5, sampling, topLogProbabilities: 3 });
  for (const [r, { newTokens, end }] of rows.entries()) {
    expect(end).toBe('length');
    expect(newTokens).toHaveLength(5);
    const text = [...(prompts[r] as number[])];
    const behind = await uncached(tokens[r] as number[]);
    for (const token of newTokens) {
      expect([token.row, token.position]).toEqual([r, text.length]);
      const logits = behind[text.length - 1] as Float32Array;
      expectChosen(token, text, logits, sampling);
      const chances = probabilities(logits, kept(logits, {}));
      const likeliest = candidates(logits, 3);
      // Each is a difference of two numbers below 10 that agree to 1e-5 of their size.
      for (const { id, logProbability } of [token, ...(token.top ?? [])])
        expect(Math.abs(logProbability - Math.log(chances[id] as number))).toBeLessThan(2e-4);
      expect(token.top?.map(({ id }) => id)).toEqual(likeliest.map(({ id }) => id));
      text.push(token.id);
    }
    expect(tokens[r]).toEqual(text);
  }
});

test('prompts of unequal lengths give what each gives alone, all together or two at a time', async () => {
  for (const sampling of [
    { kind: 'greedy' },
    { kind: 'sample', seed: 8, temperature: 2, topK: 9, repetitionPenalty: 1.3 },
  ] as const) {
    const options = { maxNewTokens: 4, sampling };
    const together = await generate(model, prompts, options);
    expect(await generate(model, prompts, options)).toEqual(together);
    expect((await generate(model, prompts, { ...options, rowsAtOnce: 2 })).tokens).toEqual(together.tokens);
    for (const [r, prompt] of prompts.entries()) {
      const alone = { ...options, sampling: sampling.kind === 'sample' ? { ...sampling, streams: [r] } : sampling };
      expect((await generate(model, [prompt], alone)).tokens[0]).toEqual(together.tokens[r]);
    }
    // Random numbers go by position, so a text continued in two calls is the text of one.
    const half = await generate(model, prompts, { ...options, maxNewTokens: 2 });
    expect((await generate(model, half.tokens, { ...options, maxNewTokens: 2 })).tokens).toEqual(together.tokens);
  }
  const other = { maxNewTokens: 4, sampling: { kind: 'sample', seed: 9, temperature: 2 } } as const;
  expect((await generate(model, prompts, other)).tokens).not.toEqual(
    (await generate(model, prompts, { ...other, sampling: { ...other.sampling, seed: 10 } })).tokens,
  );
});

test('frequencies follow the softmax', async () => {
  const draws = 120;
  const prompt = prompts[0] as number[];
  const logits = (await uncached(prompt)).at(-1) as Float32Array;
  const { tokens } = await generate(
    model,
    Array.from({ length: draws }, () => prompt),
    { maxNewTokens: 1, sampling: { kind: 'sample', seed: 5, temperature: 3 } },
  );
  const chances = probabilities(adjusted(logits, { temperature: 3 }), kept(logits, {}));
  const chiSquare = chances.reduce((sum, chance, id) => {
    const expected = draws * chance;
    return sum + (tokens.filter((row) => row[3] === id).length - expected) ** 2 / expected;
  }, 0);
  // 12 degrees of freedom: 32.9 is passed once in a thousand seeds, and this seed is fixed.
  expect(chiSquare).toBeLessThan(32.9);
});

test('rows end with an end token, but not before the least number of tokens; the others go on as if alone', async () => {
  const sampling: Sampling = { kind: 'sample', seed: 4, temperature: 3 };
  const free = await generate(model, prompts, { maxNewTokens: 7, sampling });
  const eosId = free.tokens[0]?.[5] as number;
  const ended = await generate(model, prompts, { maxNewTokens: 7, sampling, eosIds: [eosId] });
  for (const [r, prompt] of prompts.entries()) {
    const row = free.tokens[r] as number[];
    const at = row.indexOf(eosId, prompt.length);
    expect(ended.tokens[r]).toEqual(at < 0 ? row : row.slice(0, at + 1));
    expect(ended.rows[r]?.end).toBe(at < 0 ? 'length' : 'eos');
  }
  expect(ended.rows[0]?.end).toBe('eos');
  const late = await generate(model, prompts, { maxNewTokens: 7, minNewTokens: 6, sampling, eosIds: [eosId] });
  for (const [r, prompt] of prompts.entries()) {
    const made = late.tokens[r]?.slice(prompt.length);
    expect(made).toHaveLength(7);
    expect(made?.slice(0, 6)).not.toContain(eosId);
  }
  const none = await generate(model, prompts, { maxNewTokens: 0 });
  expect(none.tokens).toEqual(prompts);
  expect(none.rows.map(({ end }) => end)).toEqual([undefined, undefined, undefined, undefined]);
});

test('edits and adapters hold in the prompt, behind it, or in both; those that never fire are named', async () => {
  const C = model.info.width;
  const vector = persistent(model.gpu, [C], fillNormal(new Float32Array(C), { seed: 2 }, 2));
  const a = persistent(model.gpu, [C, 2], fillNormal(new Float32Array(2 * C), { seed: 3 }));
  const b = persistent(model.gpu, [2, C], fillNormal(new Float32Array(2 * C), { seed: 4 }));
  const site = model.linears().find(({ name }) => name === '0.o');
  if (!site) throw new Error('the toy has a map called 0.o');
  const kinds = {
    edit: (extent: object) => add('blocks.0.hook_resid_post', vector, extent),
    adapter: (extent: object) => withAdapter('lora', [{ linear: site, a, b, factor: 0.5 }], extent),
  };
  const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);
  for (const make of Object.values(kinds)) {
    const phases = [{ phase: 'prompt' }, { phase: 'generated' }, {}] as const;
    const texts = [];
    for (const extent of phases) {
      const interventions = [make(extent)].flat();
      const { rows, tokens, neverFired } = await generate(model, prompts, { maxNewTokens: 4, interventions });
      expect(neverFired).toEqual([]);
      texts.push(tokens);
      for (const [r, { newTokens }] of rows.entries()) {
        const prompt = prompts[r] as number[];
        const [from, to] =
          'phase' in extent ? (extent.phase === 'prompt' ? [0, prompt.length] : [prompt.length, 99]) : [0, 99];
        const edited = [make({ positions: range(from, to) })].flat();
        const behind = await uncached(tokens[r] as number[], edited);
        for (const token of newTokens) {
          const text = (tokens[r] as number[]).slice(0, token.position);
          expectChosen(token, text, behind[token.position - 1] as Float32Array, { kind: 'greedy' });
        }
      }
    }
    const plain = (await generate(model, prompts, { maxNewTokens: 4 })).tokens;
    for (const tokens of texts) expect(tokens).not.toEqual(plain);
    expect(texts[0]).not.toEqual(texts[2]);
  }
  const idle = [
    add('blocks.0.hook_resid_post', vector, { positions: [99] }),
    add('blocks.1.hook_resid_post', vector, { rows: [17] }),
    add('blocks.1.hook_resid_post', vector, { phase: 'generated' }),
    add('blocks.1.hook_resid_post', vector, { rows: [1], positions: [6] }),
  ];
  const one = await generate(model, prompts, { maxNewTokens: 1, interventions: idle });
  expect(one.neverFired).toEqual(idle.map(({ label }) => label));
  const three = await generate(model, prompts, { maxNewTokens: 3, interventions: idle });
  expect(three.neverFired).toEqual(idle.slice(0, 2).map(({ label }) => label));
  // Rows are those of the call, however it is cut.
  const cut = await generate(model, prompts, { maxNewTokens: 3, interventions: idle, rowsAtOnce: 1 });
  expect(cut.neverFired).toEqual(three.neverFired);
  expect(cut.tokens).toEqual(three.tokens);
  // An edit of a row that ends before the edit begins has edited nothing, though the others go on.
  const late = [scale('blocks.0.hook_attn_out', 2, { rows: [0], phase: 'generated' })];
  const first = three.rows[0]?.newTokens[0]?.id as number;
  const over = await generate(model, [prompts[0] as number[], [8, 8]], {
    maxNewTokens: 3,
    interventions: late,
    eosIds: [first],
  });
  expect(over.rows[0]?.newTokens).toHaveLength(1);
  expect(over.rows[1]?.newTokens.length).toBeGreaterThan(1);
  expect(over.neverFired).toEqual(late.map(({ label }) => label));
  [vector, a, b].forEach((tensor) => tensor.dispose());
});

test('impossible settings are refused before any work', () => {
  const refused = (options: Partial<GenerateOptions>, given = [prompts[0] as number[]]): string => {
    try {
      generateStream(model, given, { maxNewTokens: 2, ...options });
    } catch (error) {
      if (error instanceof LimnError) return error.code;
      throw error;
    }
    return 'accepted';
  };
  const sample = { kind: 'sample', seed: 1 } as const;
  for (const wrong of [
    { temperature: 0 },
    { temperature: Infinity },
    { topK: 0 },
    { topP: 0 },
    { topP: 1.1 },
    { repetitionPenalty: 0 },
    { seed: -1 },
    { streams: [1, 2] },
    { streams: [-1] },
  ])
    expect(refused({ sampling: { ...sample, ...wrong } })).toBe('hooks/bad-sampling');
  expect(refused({ sampling: { kind: 'greedy', repetitionPenalty: -1 } })).toBe('hooks/bad-sampling');
  expect(refused({ sampling: { ...sample, topK: 1000 } })).toBe('accepted');
  const decode = (): Uint8Array => new Uint8Array();
  for (const wrong of [
    { maxNewTokens: -1 },
    { maxNewTokens: 1.5 },
    { minNewTokens: 3 },
    { eosIds: [13] },
    { topLogProbabilities: 14 },
    { rowsAtOnce: 0 },
    { stopStrings: ['a'] },
    { stopStrings: [''], decode },
  ])
    expect(refused(wrong)).toBe('hooks/bad-generation');
  expect(refused({ maxNewTokens: 11 })).toBe('tokens/too-long');
  expect(refused({ maxNewTokens: 10 })).toBe('accepted');
  expect(refused({}, [])).toBe('tokens/empty');
  expect(refused({}, [[1], [99]])).toBe('tokens/not-in-vocabulary');
  const wrong = intervene('blocks.0.hook_nothing' as 'hook_embed', 'wrong', (x) => x);
  expect(refused({ interventions: [wrong] })).toBe('hooks/unknown-site');
});

test('logits that are not numbers end the generation by name', async () => {
  const lost = scale('blocks.1.hook_resid_post', 3e38, { rows: [2], phase: 'generated' });
  const again = scale('blocks.1.hook_resid_post', 3e38, { rows: [2], phase: 'generated' });
  await expect(generate(model, prompts, { maxNewTokens: 3, interventions: [lost, again] })).rejects.toMatchObject({
    code: 'hooks/not-finite',
    details: { row: 2, position: 2 },
  });
});

test('leaving the loop, aborting or failing leaves nothing on the GPU; a stream can be run again', async () => {
  const sampling: Sampling = { kind: 'sample', seed: 1, repetitionPenalty: 1.1 };
  const options = { maxNewTokens: 4, minNewTokens: 1, eosIds: [0], sampling };
  const stream = generateStream(model, prompts, options);
  const first: GeneratedToken[] = [];
  for await (const token of stream) first.push(token);
  const { buffersLive, bytesLive } = model.gpu.counters.snapshot();
  for await (const token of stream) {
    expect(token).toEqual(first[0]);
    break;
  }
  const again: GeneratedToken[] = [];
  for await (const token of stream) again.push(token);
  expect(again).toEqual(first);
  const stop = new AbortController();
  const cut = async (): Promise<void> => {
    for await (const token of generateStream(model, prompts, { ...options, signal: stop.signal }))
      if (token.row === 3) stop.abort(new Error('enough'));
  };
  await expect(cut()).rejects.toMatchObject({ code: 'aborted' });
  await expect(generate(model, prompts, { ...options, signal: stop.signal })).rejects.toMatchObject({
    code: 'aborted',
  });
  const failing = intervene('blocks.1.hook_mlp_out', 'failing', () => {
    throw new Error('no');
  });
  await expect(generate(model, prompts, { ...options, interventions: [failing] })).rejects.toThrow('no');
  const { buffersLive: buffersAfter, bytesLive: bytesAfter } = model.gpu.counters.snapshot();
  expect([buffersAfter, bytesAfter]).toEqual([buffersLive, bytesLive]);
});

test('after the first decoded token nothing is made, and many generations leave the live bytes where they were', async () => {
  const long = process.env['LIMN_LONG'] === '1';
  const sampling: Sampling = { kind: 'sample', seed: 6, temperature: 2, topK: 5, topP: 0.9, repetitionPenalty: 1.1 };
  const options = {
    maxNewTokens: 6,
    minNewTokens: 1,
    sampling,
    interventions: [
      scale('blocks.0.hook_mlp_out', 0.9, { phase: 'generated' }),
      scale('blocks.1.hook_mlp_out', 1.1, { rows: [3] }),
    ],
  } as const;
  // An end token with which row 3 ends early and row 1 does not end.
  let eosId = -1;
  for (let id = 0; id < model.info.vocabulary && eosId < 0; id++) {
    const { rows } = await generate(model, prompts, { ...options, eosIds: [id] });
    if (rows[3]?.end === 'eos' && rows[3].newTokens.length < 5 && rows[1]?.end === 'length') eosId = id;
  }
  expect(eosId).toBeGreaterThanOrEqual(0);
  let before = model.gpu.counters.snapshot();
  let [decoded, afterEnd, ended] = [0, 0, false];
  // The report is new, so that no plan is there already.
  for await (const token of generateStream(model, prompts, { ...options, eosIds: [eosId], topLogProbabilities: 2 })) {
    if (token.row === 3) ended = token.end !== undefined;
    // Rows of one pass come together.
    if (token.row !== 1) continue;
    const made = model.gpu.counters.since(before);
    if (decoded >= 2) {
      const { buffersCreated, bindGroupsCreated, pipelinesCreated, plansCreated, readbacks } = made;
      expect([buffersCreated, bindGroupsCreated, pipelinesCreated, plansCreated]).toEqual([0, 0, 0, 0]);
      expect(readbacks).toBe(1);
    } else expect(made.plansCreated).toBe(1);
    before = model.gpu.counters.snapshot();
    decoded += 1;
    if (ended) afterEnd += 1;
  }
  expect(decoded).toBe(6);
  expect(afterEnd).toBeGreaterThan(0);
  const once = (n: number) =>
    generate(model, prompts.slice(0, 1 + (n % 3)), {
      maxNewTokens: 2,
      sampling: { ...sampling, seed: n },
      minNewTokens: 1,
      eosIds: [n % 13],
    });
  for (let n = 0; n < 10; n++) await once(n);
  const { bytesLive, buffersLive } = model.gpu.counters.snapshot();
  for (let n = 10; n < (long ? 1000 : 60); n++) await once(n);
  const after = model.gpu.counters.snapshot();
  expect([after.bytesLive, after.buffersLive]).toEqual([bytesLive, buffersLive]);
}, 600_000);

test('gradients stop at cached keys, and reach what the last pass computes itself', async () => {
  let step = model.gpu.step();
  const { cache } = model.prefill(step, tokenBatch([[1, 4, 7]], model.info), { logits: 'last' });
  await step.submit();
  step = model.gpu.step();
  const next = { ids: Uint32Array.of(2), B: 1, T: 1, lengths: [1] };
  const run = model.decode(step, next, cache, {
    logits: 'last',
    capture: ['blocks.0.attn.hook_q', 'blocks.1.attn.hook_k'],
  });
  const sites = [run.at('blocks.0.attn.hook_q'), run.at('blocks.1.attn.hook_k')];
  const found = gradients(step, run.logits, 'ones', sites, { missing: 'zeros' });
  const [dq, dk] = await Promise.all(found.map((tensor) => readFloats(step, tensor)));
  expect(dq?.some((value) => value !== 0)).toBe(true);
  expect(dk?.every((value) => value === 0)).toBe(true);
  cache.dispose();
});

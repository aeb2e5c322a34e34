// Generation with edits and adapters in the prompt, behind it, or both; what it makes on the GPU, and what it leaves behind.
import { fillNormal, gradients, persistent, readFloats, scale as times } from '@limn/tensor';
import { recordResult } from '@limn/testing';
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
  type Sampling,
} from '../src/index.js';
import { expectChosen, prompts, uncached } from './chosen.js';
import { toy } from './toy.js';

const model = await toy();

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
  const generations = long ? 1000 : 60;
  for (let n = 10; n < generations; n++) await once(n);
  const after = model.gpu.counters.snapshot();
  expect([after.bytesLive, after.buffersLive]).toEqual([bytesLive, buffersLive]);
  recordResult('nothing stays: generations', { generations, 'bytes held': after.bytesLive });
}, 600_000);

test('two edits of one name are told apart', async () => {
  const edits = [0, 99].map((position) =>
    intervene('blocks.0.hook_mlp_out', 'same name', (x, ctx) => times(ctx.step, x, 2), { positions: [position] }),
  );
  const { neverFired } = await generate(model, [[1, 4, 7]], { maxNewTokens: 1, interventions: edits });
  expect(neverFired).toEqual(['same name']);
});

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

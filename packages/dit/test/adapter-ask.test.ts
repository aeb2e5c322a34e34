// Questions about diffs, many in one pass: what generate answers to each alone with the adapters on, and the log-probabilities behind it.
import { generate, tokenBatch } from '@limn/hooks';
import { logSoftmax, readFloats } from '@limn/tensor';
import { refusal, testGpu, type ToyModel } from '@limn/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { askDiffs, LoraAdapter, type AskOptions, type DitQuestion, type LoraWeights } from '../src/index.js';
import { loudLora } from './adapter-job.js';
import { toyModel } from './diffs-job.js';

let toy: ToyModel;
let diffs: LoraWeights[];
let adapter: LoraWeights;
beforeAll(async () => {
  toy = toyModel(await testGpu());
  diffs = [
    loudLora(toy, 1, { size: 0.9 }),
    loudLora(toy, 2, { size: 0.6, rank: 3, alpha: 6, targets: ['1.o', '1.in', '0.q'] }),
    loudLora(toy, 5, { size: 0.6, rank: 2, alpha: 2, rsLora: true }),
  ];
  adapter = loudLora(toy, 3, { size: 0.7, rank: 4, alpha: 2 });
});
afterAll(() => toy.dispose());

const options: AskOptions = { maxNewTokens: 3, eosIds: [11, 22], candidates: [3, 9, 28], top: 4 };
const questions: readonly DitQuestion[] = [0, 1, 2, null, 2, 0].map((diff, i) => ({
  diff,
  prompt: i % 3 === 0 ? [0, i, 2] : [i, 4, 4, 5, i + 9].slice(i % 2),
}));

/** The answer to one question, from generate with the factors of its diff as an adapter of their own. */
async function alone({ diff, prompt }: DitQuestion, reader: LoraWeights | null) {
  const on = [...(diff === null ? [] : [diffs[diff]!]), ...(reader ? [reader] : [])].map(
    (lora) => new LoraAdapter(toy, lora),
  );
  const interventions = on.flatMap((each) => each.interventions());
  const { rows } = await generate(toy, [prompt], {
    maxNewTokens: 3,
    eosIds: [11, 22],
    topLogProbabilities: 4,
    interventions,
  });
  const step = toy.gpu.step();
  const { logits } = toy.run(step, { tokens: tokenBatch([prompt], toy.info) }, { interventions, logits: 'last' });
  const logP = await readFloats(step, logSoftmax(step, logits));
  step.dispose();
  for (const each of on) each.dispose();
  return { tokens: rows[0]!.newTokens, end: rows[0]!.end, logP };
}

test.each([
  ['base + diff + adapter', true],
  ['base + diff', false],
])('%s: every answer is the one that generate gives by itself', async (_, withAdapter) => {
  const reader = withAdapter ? adapter : null;
  const told: number[] = [];
  const onProgress = ({ done }: { done: number }): unknown => told.push(done);
  const answers = await askDiffs(toy, diffs, reader, questions, { ...options, rows: 4, onProgress });
  expect(told).toEqual([4, 6]);
  const ends = new Set<boolean>();
  for (const [i, answer] of answers.entries()) {
    const { tokens, end, logP } = await alone(questions[i]!, reader);
    const ids = tokens.map(({ id }) => id);
    expect(answer.tokens, `question ${i}`).toEqual(end === 'eos' ? ids.slice(0, -1) : ids);
    expect(answer.ended).toBe(end === 'eos');
    ends.add(answer.ended);
    expect(answer.logProbability).toBeCloseTo(
      tokens.reduce((sum, token) => sum + token.logProbability, 0),
      4,
    );
    expect(answer.top.map(({ id }) => id)).toEqual(tokens[0]!.top!.map(({ id }) => id));
    answer.top.forEach(({ id, logProbability }) => expect(logProbability).toBeCloseTo(logP[id]!, 5));
    options.candidates!.forEach((id, c) => expect(answer.candidates![c]).toBeCloseTo(logP[id]!, 5));
  }
  expect(ends.size).toBe(2);
  // All of them say different things: no row has another's diff.
  expect(new Set(answers.map(({ top }) => top[0]!.logProbability.toFixed(4))).size).toBe(6);
});

test('nothing depends on how many are asked at a time, beyond round-off', async () => {
  const together = await askDiffs(toy, diffs, adapter, questions, options);
  const inPairs = await askDiffs(toy, diffs, adapter, questions, { ...options, rows: 2 });
  inPairs.forEach((answer, i) => {
    expect(answer.tokens).toEqual(together[i]!.tokens);
    expect(answer.logProbability).toBeCloseTo(together[i]!.logProbability, 4);
  });
  expect(await askDiffs(toy, diffs, adapter, [], options)).toEqual([]);
  const { candidates: _none, ...without } = options;
  const [answer] = await askDiffs(toy, [], null, [{ diff: null, prompt: [1] }], without);
  expect(answer).not.toHaveProperty('candidates');
});

test('questions and options that mean nothing are refused', async () => {
  const ask = (more: Partial<AskOptions>, question: Partial<DitQuestion> = {}) =>
    refusal(askDiffs(toy, diffs, adapter, [{ diff: 0, prompt: [1], ...question }], { ...options, ...more }));
  for (const [more, question] of [
    [{ rows: 0 }, {}],
    [{ maxNewTokens: 0 }, {}],
    [{ top: 65 }, {}],
    [{ candidates: [29] }, {}],
    [{}, { diff: 3 }],
    [{}, { prompt: [] }],
    [{}, { prompt: [29] }],
    [{}, { prompt: [1, 2, 3, 4, 5, 6, 7] }],
  ] as const)
    expect((await ask(more, question)).code).toBe('usage/dit-question');
  const stranger = { ...adapter, base: 'another' };
  expect((await refusal(askDiffs(toy, diffs, stranger, questions, options))).code).toBe('data/lora-base');
  expect((await refusal(askDiffs(toy, [stranger], adapter, [], options))).code).toBe('data/lora-base');
  const abort = new AbortController();
  abort.abort();
  expect((await refusal(askDiffs(toy, diffs, adapter, questions, { ...options, signal: abort.signal }))).code).toBe(
    'aborted',
  );
});

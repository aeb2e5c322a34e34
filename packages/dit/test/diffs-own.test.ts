// Answers that diffs give themselves: those of each diff's own factors, from a stream of its own, the same whoever is asked beside it.
import { generate } from '@limn/hooks';
import { randomU32 } from '@limn/tensor';
import { testGpu, type ToyModel } from '@limn/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createLora, LoraAdapter, type DiffRow, type LoraWeights } from '../src/index.js';
import { settleDiffs, type DiffSettings } from '../src/diffs/diff-options.js';
import { DiffStack } from '../src/diffs/diff-stack.js';
import { answerName, drawAnswers } from '../src/diffs/own-answers.js';
import { diff, options, toyModel } from './diffs-job.js';

let toy: ToyModel;
let settings: DiffSettings;
beforeAll(async () => {
  toy = toyModel(await testGpu());
  ({ settings } = settleDiffs(toy, [diff(0)], {
    ...options,
    own: { maxNewTokens: 4, eosIds: [11], temperature: 0.7 },
  }));
});
afterAll(() => toy.dispose());

/** A LoRA that changes a lot. */
function loud(seed: number): LoraWeights {
  const lora = createLora(toy, { rank: 1, alpha: 1, seed });
  const modules = Array.from(lora.modules, ([name, { a, b, ...rest }]) => {
    const wave = (values: Float32Array): Float32Array => values.map((_, i) => 1.5 * Math.sin(seed + 2.3 * i));
    return [name, { a: wave(a), b: wave(b), ...rest }] as const;
  });
  return { ...lora, modules: new Map(modules) };
}

const rows = (round: number): DiffRow[] => [
  { tokens: [0, 3 + (round % 4), 2], answers: [[2, 3]], loss: 'kl', weight: 1 },
  { tokens: [0, 12, 3 + (round % 4)], answers: [], loss: 'kl', weight: 1, own: true },
];
const drawer = (seed: number, updates = 100) => ({ id: `diff ${seed}`, seed, updates, samples: rows });

test('are what each diff alone would say, and other diffs and seeds say other things', async () => {
  const loras = [loud(1), loud(4)];
  using stack = DiffStack.create(toy.gpu, toy.linears(), [...loras, undefined], 1);
  stack.write([...loras, undefined]);
  const [from, to] = [5, 17];
  const drawn = await drawAnswers(toy, [drawer(21), drawer(22), undefined], settings, stack, { from, to });
  expect(Object.keys(drawn)).toHaveLength(2 * (to - from));
  const said = async (seed: number, lora: LoraWeights | undefined): Promise<number[][]> => {
    using adapter = new LoraAdapter(toy, lora ?? (loras[0] as LoraWeights));
    const rounds = Array.from({ length: to - from }, (_, i) => from + i);
    const made = await generate(
      toy,
      rounds.map((round) => [...(rows(round)[1] as DiffRow).tokens]),
      {
        maxNewTokens: 4,
        eosIds: [11],
        sampling: {
          kind: 'sample',
          seed: 0,
          temperature: 0.7,
          streams: rounds.map((round) => randomU32(seed, round, 1)),
        },
        interventions: lora ? adapter.interventions() : [],
      },
    );
    return made.rows.map(({ newTokens }) => newTokens.map(({ id }) => id));
  };
  const of = (place: number): (readonly number[] | undefined)[] =>
    Array.from({ length: to - from }, (_, i) => drawn[answerName(place, from + i, 1)]);
  expect(of(0)).toEqual(await said(21, loras[0]));
  expect(of(1)).toEqual(await said(22, loras[1]));
  expect(of(0)).not.toEqual(await said(21, undefined));
  expect(of(0)).not.toEqual(await said(22, loras[0]));
  const alone = await drawAnswers(toy, [undefined, drawer(22), undefined], settings, stack, { from, to });
  expect(Object.keys(alone)).toHaveLength(to - from);
  for (const [name, answer] of Object.entries(alone)) expect(answer).toEqual(drawn[name]);
  // A diff that is finished is asked no more.
  expect(await drawAnswers(toy, [drawer(21, 6)], settings, stack, { from, to })).toEqual({
    [answerName(0, 5, 1)]: drawn[answerName(0, 5, 1)],
  });
});

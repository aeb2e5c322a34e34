// The whole of it in small: an adapter learns to say which of a few kinds of diff is on, and says it of diffs that it was never shown.
import { fillNormal } from '@limn/tensor';
import { testGpu, ToyModel } from '@limn/testing';
import { expect, test } from 'vitest';
import { askDiffs, trainDitAdapter, type DitExample, type LoraWeights } from '../src/index.js';

const KINDS = 4;
const END = 1;
const NONE = 8;
const PROMPT = [2, 3];
/** Diffs of each kind that it learns from, and that it is asked about later. */
const [SEEN, NEW] = [6, 4];

const normal = (size: number, seed: number, stream: number, deviation: number): Float32Array =>
  fillNormal(new Float32Array(size), { seed, stream }, deviation);

/** A change of rank 1 of what layer 0's neurons write: whenever they are on, the direction of its kind and half as much of one of its own. */
function diffOf(model: ToyModel, kind: number, seed: number): LoraWeights {
  const { width, mlpWidth } = model.info;
  const own = 1000 + seed;
  const a = normal(mlpWidth, own, 0, 0.3).map((value) => 1 + value);
  const common = normal(width, 1, kind, 0.3);
  const b = normal(width, own, 1, 0.15).map((value, i) => value + (common[i] as number));
  const modules = new Map([['0.out', { a, b, rank: 1, alpha: 1 }]]);
  return { rank: 1, alpha: 1, rsLora: false, modules, base: model.info.fingerprint };
}

test('it reads the kind of new diffs, says none of the bare model, and follows the diff when diffs are shuffled', async () => {
  const model = new ToyModel(await testGpu(), {
    layers: 2,
    heads: 2,
    headWidth: 8,
    mlpWidth: 24,
    vocabulary: 16,
    maxPositions: 6,
  });
  const kinds = Array.from({ length: KINDS * (SEEN + NEW) }, (_, i) => i % KINDS);
  const diffs = kinds.map((kind, i) => diffOf(model, kind, i));
  const word = (kind: number): number => 4 + kind;
  const about = (place: number): DitExample => ({ diff: place, prompt: PROMPT, answer: [word(kinds[place]!), END] });
  const none: DitExample = { diff: null, prompt: PROMPT, answer: [NONE, END] };
  const places = kinds.map((_, place) => place);
  const [seen, fresh] = [places.slice(0, KINDS * SEEN), places.slice(KINDS * SEEN)];
  const examples = [...seen.map(about), none, none, none, none];
  const candidates = [4, 5, 6, 7, NONE];
  const { lora, validation } = await trainDitAdapter(
    model,
    { diffs, examples, validation: fresh.slice(0, KINDS).map(about) },
    { rank: 4, alpha: 4, init: 'peft', rate: 0.02, updates: 60, batch: 8, evaluateEvery: 15, candidates },
  );
  expect(validation[0]!.exact).toBe(0);
  const asked = fresh.slice(KINDS);
  const say = async (of: readonly (number | null)[]): Promise<(number | undefined)[]> => {
    const found = await askDiffs(
      model,
      diffs,
      lora,
      of.map((diff) => ({ diff, prompt: PROMPT })),
      { maxNewTokens: 3, eosIds: [END] },
    );
    return found.map(({ tokens, ended }) => (ended && tokens.length === 1 ? tokens[0] : undefined));
  };
  const right = (said: readonly (number | undefined)[], expected: readonly number[]): number =>
    said.filter((token, i) => token === word(kinds[expected[i]!]!)).length / said.length;
  const said = await say(asked);
  // Every diff's question with the next kind's diff in its place: answers go with the diff.
  const shuffled = asked.map((_, i) => asked[(i + 1) % asked.length]!);
  const saidOfShuffled = await say(shuffled);
  expect(right(said, asked)).toBeGreaterThanOrEqual(0.9);
  expect(right(saidOfShuffled, shuffled)).toBeGreaterThanOrEqual(0.9);
  expect(right(saidOfShuffled, asked)).toBeLessThanOrEqual(0.1);
  expect(await say([null])).toEqual([NONE]);
  // Without the adapter nobody is told.
  const bare = await askDiffs(
    model,
    diffs,
    null,
    asked.map((diff) => ({ diff, prompt: PROMPT })),
    { maxNewTokens: 3, eosIds: [END] },
  );
  expect(
    right(
      bare.map(({ tokens }) => tokens[0]),
      asked,
    ),
  ).toBeLessThan(0.6);
  model.dispose();
});

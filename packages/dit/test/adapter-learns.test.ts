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

/** A change of rank 1 that writes its kind's direction, and as much of one of its own, whenever it reads something that all kinds read. */
function diffOf(model: ToyModel, kind: number, seed: number): LoraWeights {
  const C = model.info.width;
  const mixed = (stream: number, common: number, own: number): Float32Array => {
    const shared = normal(C, 1, common, 1);
    return normal(C, 1000 + seed, stream, own).map((value, i) => value + (shared[i] as number));
  };
  const factors = { a: mixed(0, 50, 0.5), b: mixed(1, kind, 0.7), rank: 1, alpha: 1 };
  return { rank: 1, alpha: 1, rsLora: false, modules: new Map([['0.o', factors]]), base: model.info.fingerprint };
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
  expect(validation[0]!.mrr).toBeLessThan(0.7);
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

// Which layers of a diff an answer rests on, and how it goes with the diff's strength: variants of one diff are rows of one batch.
import { LimnError, throwIfAborted } from '@limn/gpu';
import {
  inBatches,
  settleControls,
  tokenBatch,
  withTaskAdapters,
  type HookedModel,
  type Intervention,
  type RunControls,
} from '@limn/hooks';
import { crossEntropy, fromData, readFloats, reshape, sum } from '@limn/tensor';
import { DiffStack } from '../diffs/diff-stack.js';
import { checkStrength, LoraAdapter } from '../lora/lora-adapter.js';
import { placedFactors, type BaseOptions, type LoraWeights, type PlacedFactors } from '../lora/lora-weights.js';

/** What a reading accepts. */
export interface ReadingOptions extends BaseOptions, RunControls {}

/** log P(answer | question) in nats, of base + a part of the diff + adapter. */
export interface LayerReading {
  /** With the whole diff. */
  readonly whole: number;
  /** Without the diff. */
  readonly none: number;
  /** Every layer of the model. */
  readonly layers: readonly {
    readonly layer: number;
    /** With the diff but for its changes in this layer. */
    readonly without: number;
    /** With its changes in this layer alone. */
    readonly only: number;
  }[];
}

/** log P(answer | question) in nats at one strength. */
export interface StrengthPoint {
  readonly strength: number;
  readonly logProbability: number;
}

/** 0, ¼, … 2. */
const STRENGTHS: readonly number[] = Array.from({ length: 9 }, (_, i) => i / 4);

/** A part of a diff: which of the stack's strengths it has, and in which layers it is there. */
interface Variant {
  readonly strength: number;
  readonly has: (layer: number) => boolean;
}

/**
 * The answer's log-probability with each layer of the diff zeroed, and with that layer's changes alone; the adapter stays whole. Log-probabilities of parts do not add up:
 * layers read what the ones before them made of the diff.
 * @throws LimnError `usage/diff-reading` for a question or an answer without tokens; `tokens/…`; `data/lora-empty`, `data/lora-module`, `data/lora-rank`,
 * `data/lora-shape`, `data/lora-values`, `data/lora-base`, `data/lora-processed`; `memory/over-budget`, `usage/batch-size`, `usage/memory`; `gpu/…`; AbortedError
 */
export async function layerReading(
  model: HookedModel,
  diff: LoraWeights,
  adapter: LoraWeights | null,
  question: readonly number[],
  answer: readonly number[],
  options: ReadingOptions = {},
): Promise<LayerReading> {
  const layers = Array.from({ length: model.info.layers }, (_, layer) => layer);
  const parts = [
    () => true,
    () => false,
    ...layers.map((zeroed) => (layer: number) => layer !== zeroed),
    ...layers.map((kept) => (layer: number) => layer === kept),
  ];
  const variants = parts.map((has): Variant => ({ strength: 1, has }));
  const found = await answersOf(model, diff, adapter, variants, { question, answer }, options);
  const at = (i: number): number => found[i] as number;
  return {
    whole: at(0),
    none: at(1),
    layers: layers.map((layer) => ({ layer, without: at(2 + layer), only: at(2 + layers.length + layer) })),
  };
}

/**
 * The answer's log-probability with the diff at each of `strengths` (default 0, ¼, … 2), in their order; the adapter stays as it is. 1 is the
 * diff as it is, 0 the model without.
 * @throws LimnError `usage/lora-strength`, and as `layerReading`
 */
export async function strengthCurve(
  model: HookedModel,
  diff: LoraWeights,
  adapter: LoraWeights | null,
  question: readonly number[],
  answer: readonly number[],
  { strengths = STRENGTHS, ...options }: ReadingOptions & { readonly strengths?: readonly number[] | undefined } = {},
): Promise<StrengthPoint[]> {
  for (const strength of strengths) checkStrength(strength);
  const variants = strengths.map((strength): Variant => ({ strength, has: () => true }));
  const found = await answersOf(model, diff, adapter, variants, { question, answer }, options);
  return strengths.map((strength, i) => ({ strength, logProbability: found[i] as number }));
}

/** What every variant says of the answer, nats. */
async function answersOf(
  model: HookedModel,
  diff: LoraWeights,
  adapter: LoraWeights | null,
  variants: readonly Variant[],
  { question, answer }: { readonly question: readonly number[]; readonly answer: readonly number[] },
  options: ReadingOptions,
): Promise<number[]> {
  for (const [what, tokens] of Object.entries({ question, answer }))
    if (tokens.length === 0)
      throw new LimnError('usage/diff-reading', `The ${what} has no tokens, so it has no probability.`, {
        hint: 'Give the token ids of both; the answer with the token that ends it, if that counts.',
      });
  const { batchSize, memoryBytes } = settleControls(options);
  const { signal } = options;
  throwIfAborted(signal, 'reading a diff');
  const prompt = [...question, ...answer.slice(0, -1)];
  const row = tokenBatch([prompt], model.info);
  tokenBatch([answer], model.info);
  const placed = placedFactors(model, diff, options);
  using placedAdapter = adapter ? new LoraAdapter(model, adapter, { name: 'adapter', anyBase: options.anyBase }) : null;
  // One place for every strength; layers are left out by rows that have no place there.
  const strengths = [...new Set(variants.map(({ strength }) => strength))];
  const places = strengths.map(() => diff);
  const rank = Math.max(...placed.map(({ factors }) => factors.rank));
  using stack = DiffStack.create(
    model.gpu,
    placed.map(({ linear }) => linear),
    places,
    rank,
  );
  stack.write(places);
  const editsOf = (batch: readonly Variant[]): Intervention[] =>
    stack.changes.flatMap((change, i) => {
      const { scale } = placed[i] as PlacedFactors;
      const { layer } = change.linear;
      const taskOfRow = batch.map(({ strength, has }) => (has(layer) ? strengths.indexOf(strength) : -1));
      return withTaskAdapters('diff', [{ ...change, scales: strengths.map((strength) => strength * scale) }], {
        taskOfRow,
      });
    });
  const found = variants.map(() => 0);
  await inBatches(
    model.gpu,
    variants,
    {
      what: 'reading a diff',
      unit: 'variant',
      label: 'variants of a diff',
      lengthOf: () => prompt.length,
      record: (step, batch) => {
        const [B, T] = [batch.length, prompt.length];
        const ids = Uint32Array.from({ length: B * T }, (_, i) => row.ids[i % T] as number);
        const rows = batch.flatMap((_, b) => answer.map((_id, i) => b * T + question.length - 1 + i));
        const { logits } = model.run(
          step,
          { tokens: { ids, B, T, lengths: batch.map(() => T) } },
          { logits: rows, interventions: [...editsOf(batch), ...(placedAdapter?.interventions() ?? [])] },
        );
        const targets = Uint32Array.from(batch.flatMap(() => answer));
        const losses = crossEntropy(step, logits, fromData(step, targets, [targets.length]));
        return sum(step, reshape(losses, [B, answer.length]), { axes: 1 });
      },
      take: async (step, losses, at) => {
        const values = await readFloats(step, losses);
        at.forEach((place, i) => (found[place] = -(values[i] as number)));
      },
    },
    { ...options, batchSize, memoryBytes },
  );
  return found;
}

// How much worse a steered model predicts texts that steering is not meant for: the change of perplexity over all next tokens.
import { LimnError } from '@limn/gpu';
import {
  inBatches,
  settleControls,
  tokenBatch,
  type HookedModel,
  type Intervention,
  type RunControls,
} from '@limn/hooks';
import { crossEntropy, fromData, IGNORED_TARGET, readFloats, reshape } from '@limn/tensor';
import type { Steerer, SteeredRow } from '../steerer.js';
import type { ControlPrompt } from './off-task.js';

/** Texts at one strength. */
export interface PerplexityAtStrength {
  readonly strength: number;
  /** Mean of −log p(next token) in nats, over all tokens that have one in front of them. */
  readonly nll: number;
  /** e^nll. */
  readonly perplexity: number;
  /** perplexity / that of the untouched model − 1: .01 is 1 % worse, below 0 is better. */
  readonly change: number;
}

/** What steering does to the prediction of texts. */
export interface PerplexityFigures {
  readonly prompts: number;
  /** Tokens that were predicted. */
  readonly tokens: number;
  readonly untouched: Pick<PerplexityAtStrength, 'nll' | 'perplexity'>;
  readonly strengths: readonly PerplexityAtStrength[];
  /** The change of largest size among the strengths, with its sign. */
  readonly largestChange: number;
}

/**
 * Runs texts untouched and steered at every strength. All tokens weigh the same, whatever text they are in. Texts must fit the position table, as
 * those of `offTaskFigures`.
 * @throws LimnError `data/steering-empty` for no texts; `data/steering-prompt` for one of a single token, which predicts nothing; `tokens/…`,
 * `data/steering-length`, `data/steering-roles`, `memory/over-budget`, `usage/batch-size`, `usage/memory`; AbortedError
 */
export async function offTaskPerplexity(
  model: HookedModel,
  prompts: readonly ControlPrompt[],
  steerer: Pick<Steerer, 'name' | 'interventions'>,
  { strengths = [1, -1], ...controls }: RunControls & { readonly strengths?: readonly number[] | undefined } = {},
): Promise<PerplexityFigures> {
  expectTexts(prompts);
  const tokens = prompts.reduce((sum, { prompt }) => sum + prompt.length - 1, 0);
  // A steerer is asked for interventions alone; the answers stand for none.
  const rowsAt = (strength: number): SteeredRow[] =>
    prompts.map((control) => ({ example: { ...control, correct: 0, wrong: 1 }, strength }));
  const [bare] = await summedNll(model, [rowsAt(0)], () => [], { ...controls, onProgress: undefined });
  const sums = await summedNll(model, strengths.map(rowsAt), (rows) => steerer.interventions(rows), controls);
  const untouched = (bare as number) / tokens;
  const figures = strengths.map((strength, s): PerplexityAtStrength => {
    const nll = (sums[s] as number) / tokens;
    return { strength, nll, perplexity: Math.exp(nll), change: Math.expm1(nll - untouched) };
  });
  return {
    prompts: prompts.length,
    tokens,
    untouched: { nll: untouched, perplexity: Math.exp(untouched) },
    strengths: figures,
    largestChange: figures.reduce((most, { change }) => (Math.abs(change) > Math.abs(most) ? change : most), 0),
  };
}

function expectTexts(prompts: readonly ControlPrompt[]): void {
  const short = prompts.findIndex(({ prompt }) => prompt.length < 2);
  if (prompts.length > 0 && short < 0) return;
  throw new LimnError(
    prompts.length === 0 ? 'data/steering-empty' : 'data/steering-prompt',
    prompts.length === 0
      ? 'Perplexity was asked for of no texts.'
      : `Text ${short} has ${prompts[short]?.prompt.length} tokens: nothing in it is predicted.`,
    { details: { prompts: prompts.length, short }, hint: 'Give texts of at least two tokens.' },
  );
}

/** Σ −log p(next token) in nats of each group of rows, summed in float64. */
async function summedNll(
  model: HookedModel,
  groups: readonly (readonly SteeredRow[])[],
  interventionsOf: (rows: readonly SteeredRow[]) => readonly Intervention[],
  controls: RunControls,
): Promise<number[]> {
  const rows = groups.flatMap((group, g) => group.map((row) => ({ ...row, group: g })));
  const perRow = new Float64Array(rows.length);
  await inBatches(
    model.gpu,
    rows,
    {
      what: 'Measuring perplexity',
      unit: 'text',
      label: 'perplexity',
      lengthOf: ({ example }) => example.prompt.length,
      record: (step, batch) => {
        const texts = batch.map(({ example }) => example.prompt);
        const tokens = tokenBatch(texts, model.info);
        const { B, T } = tokens;
        const { logits } = model.run(step, { tokens }, { interventions: interventionsOf(batch), logits: 'all' });
        const next = new Uint32Array(B * T).fill(IGNORED_TARGET);
        texts.forEach((text, b) => next.set(text.slice(1), b * T));
        const flat = reshape(logits, [B * T, model.info.vocabulary]);
        return { T, nll: crossEntropy(step, flat, fromData(step, next, [B * T], { label: 'next tokens' })) };
      },
      take: async (step, { T, nll }, places) => {
        const read = await readFloats(step, nll);
        places.forEach((place, b) => {
          perRow[place] = read.subarray(b * T, (b + 1) * T).reduce((sum, value) => sum + value, 0);
        });
      },
    },
    { ...controls, ...settleControls(controls) },
  );
  const sums = groups.map(() => 0);
  rows.forEach(({ group }, i) => (sums[group] = (sums[group] as number) + (perRow[i] as number)));
  return sums;
}

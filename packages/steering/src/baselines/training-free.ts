// Every way to steer that takes no learning, made on the prompts that others learn from: each as settings to choose among on validation prompts.
import { LimnError } from '@limn/gpu';
import type { HookedModel, RunControls } from '@limn/hooks';
import { evaluateSteering } from '../evaluate.js';
import type { SteeringExample } from '../examples.js';
import { UNTOUCHED } from '../steerer.js';
import type { SteeringValues } from '../steering.js';
import { actAdd } from './activation-addition.js';
import type { SteeringCandidate } from './candidates.js';
import { cellGradients } from './cell-gradients.js';
import { caa } from './contrastive-addition.js';
import { thresholdScores } from './gradient-activation.js';
import { meanDifference } from './mean-difference.js';
import { pcaDirection } from './pca-direction.js';
import { relativeNorms, toRelativeNorm } from './relative-norms.js';
import type { ScalarPlacement } from './scalar-values.js';
import { singleCells } from './single-cells.js';

/** The rows that need no learning, as tables have them. */
export const TRAINING_FREE = [
  'untouched',
  'gradient × activation',
  'best single cell',
  'ActAdd',
  'CAA',
  'mean difference',
  'PCA direction',
] as const;
/** One of `TRAINING_FREE`. */
export type TrainingFreeName = (typeof TRAINING_FREE)[number];

/** By row, its settings. A row that these prompts do not give is missing. */
export type TrainingFreeCandidates = Readonly<Partial<Record<TrainingFreeName, readonly SteeringCandidate[]>>>;

/** Training prompts that norms and single cells are measured on. */
const SOME = 30;
/** Cells that gradient × activation takes. */
const TOPS = [3, 10, 20] as const;

/**
 * Scalars on the cells of `placement`; vectors at the stream that enters each block, added at the last token (ActAdd: from the front), each as
 * long as the median activation there, so that strengths are shares of it. ActAdd takes the two training prompts, of the most frequent
 * length, on which the untouched model prefers the right and the wrong answer most. There is no mean difference where it prefers the same
 * side everywhere, no principal direction where pairs of answers do not differ in a way of their own, no ActAdd of a single prompt.
 * @throws LimnError `data/steering-direction` where no cell of `placement` can have an effect; as `cellGradients`, `singleCells`, `actAdd`,
 * `caa`, `meanDifference`, `relativeNorms`; AbortedError
 */
export async function trainingFreeCandidates(
  model: HookedModel,
  train: readonly SteeringExample[],
  placement: ScalarPlacement,
  controls: RunControls = {},
): Promise<TrainingFreeCandidates> {
  const { skip } = placement.positions;
  const some = train.slice(0, SOME);
  const perLayer = async (
    make: (layer: number) => Promise<SteeringValues | undefined>,
  ): Promise<readonly SteeringCandidate[]> => {
    const found: SteeringCandidate[] = [];
    for (let layer = 0; layer < model.info.layers; layer++) {
      const values = await make(layer);
      if (!values) continue;
      const norms = await relativeNorms(model, some, values, controls);
      found.push({ chosen: { layer }, values: toRelativeNorm(values, norms, 1) });
    }
    return found;
  };
  const gradients = await cellGradients(model, train, placement, controls);
  const live = gradients.cells.filter((cell) => cell.live).length;
  const tops = [...new Set(TOPS.map((top) => Math.min(top, live)))].filter((top) => top > 0);
  const { plus, minus, bothSides } = await mostOpposed(model, train, controls);
  const rows: Record<TrainingFreeName, readonly SteeringCandidate[]> = {
    untouched: [{ chosen: {}, steerer: UNTOUCHED }],
    'gradient × activation': tops.map((top) => ({
      chosen: { cells: top },
      values: thresholdScores(model, gradients, { top }),
    })),
    'best single cell': [{ chosen: {}, values: (await singleCells(model, some, placement, controls)).values }],
    ActAdd: plus && minus ? await perLayer((layer) => actAdd(model, plus, minus, layer, { skip })) : [],
    CAA: await perLayer((layer) => caa(model, train, { layers: [layer] }, controls)),
    'mean difference': bothSides
      ? await perLayer((layer) => meanDifference(model, train, { layers: [layer] }, controls))
      : [],
    'PCA direction': await perLayer((layer) =>
      whereThereIsOne(pcaDirection(model, train, { layers: [layer], positions: 'last' }, controls)),
    ),
  };
  return Object.fromEntries(Object.entries(rows).filter(([, settings]) => settings.length > 0));
}

/** Pairs that differ in nothing of their own have no direction: no error of a table that has other rows. */
async function whereThereIsOne(made: Promise<SteeringValues>): Promise<SteeringValues | undefined> {
  try {
    return await made;
  } catch (error) {
    if (error instanceof LimnError && error.code === 'data/steering-direction') return undefined;
    throw error;
  }
}

interface Opposed {
  /** Two prompts of one length; undefined where there is only one. */
  readonly plus: readonly number[] | undefined;
  readonly minus: readonly number[] | undefined;
  /** Whether the untouched model prefers either answer on some prompt. */
  readonly bothSides: boolean;
}

async function mostOpposed(
  model: HookedModel,
  train: readonly SteeringExample[],
  controls: RunControls,
): Promise<Opposed> {
  const measured = await evaluateSteering(model, UNTOUCHED, train, { ...controls, strengths: [0] });
  const order = train
    .map(({ prompt }, i) => ({ prompt, delta: measured[i]?.untouchedDelta ?? 0 }))
    .sort((a, b) => b.delta - a.delta);
  const counts = new Map<number, number>();
  for (const { prompt } of train) counts.set(prompt.length, (counts.get(prompt.length) ?? 0) + 1);
  const [usual] = [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0])[0] ?? [0];
  const alike = order.filter(({ prompt }) => prompt.length === usual);
  return {
    plus: alike.length > 1 ? alike[0]?.prompt : undefined,
    minus: alike.length > 1 ? alike.at(-1)?.prompt : undefined,
    bothSides: (order[0]?.delta ?? 0) > 0 && (order.at(-1)?.delta ?? 0) <= 0,
  };
}

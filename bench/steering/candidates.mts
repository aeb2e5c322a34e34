// Training-free rows of the table: each as settings to choose among on validation prompts, and values or words for each setting.
import type { HookedModel } from '@limn/hooks';
import {
  actAdd,
  averagedOverPlaces,
  caa,
  cellGradients,
  evaluateSteering,
  meanDifference,
  pcaDirection,
  prompting,
  relativeNorms,
  singleCells,
  thresholdScores,
  toRelativeNorm,
  UNTOUCHED,
  type EntitySplit,
  type PositionTable,
  type Steerer,
  type SteeringValues,
} from '@limn/steering';
import { idOf } from '@limn/tasks';
import type { StudyRow, StudyTask } from './study.mjs';

/** One setting of a row. */
export interface Candidate {
  readonly chosen: Readonly<Record<string, number | string>>;
  readonly values?: SteeringValues;
  readonly steerer?: Steerer;
}

/** What candidates are made of. */
export interface CandidateRequest {
  readonly model: HookedModel;
  readonly task: StudyTask;
  readonly split: EntitySplit;
  readonly positions: PositionTable;
  /** Learnt scalars, whose means over places are the role-constant scale. */
  readonly scalars: SteeringValues;
}

/** Training prompts that norms and single cells are measured on. */
const SOME = 30;
const SITES = ['hook_attn_out', 'hook_mlp_out'] as const;

/** Every training-free row with its settings. */
export async function candidates(request: CandidateRequest): Promise<Partial<Record<StudyRow, Candidate[]>>> {
  const { model, task, split, positions, scalars } = request;
  const layers = Array.from({ length: model.info.layers }, (_, layer) => layer);
  const placement = { sites: SITES, positions };
  const gradients = await cellGradients(model, split.train, placement);
  /** One vector per layer, as long as the activations there are at the median: strengths are then shares of them. */
  const perLayer = async (make: (layer: number) => Promise<SteeringValues>): Promise<Candidate[]> => {
    const found: Candidate[] = [];
    for (const layer of layers) {
      const values = await make(layer);
      const norms = await relativeNorms(model, split.train.slice(0, SOME), values);
      found.push({ chosen: { layer }, values: toRelativeNorm(values, norms, 1) });
    }
    return found;
  };
  const { plus, minus, bothSides } = await mostOpposed(model, split);
  const words = promptWords(task);
  return {
    untouched: [{ chosen: {}, steerer: UNTOUCHED }],
    'role-constant scale': [{ chosen: {}, values: averagedOverPlaces(model, scalars) }],
    'gradient × activation': [3, 10, 20].map((top) => ({
      chosen: { cells: top },
      values: thresholdScores(model, gradients, { top }),
    })),
    'best single cell': [
      { chosen: {}, values: (await singleCells(model, split.train.slice(0, SOME), placement)).values },
    ],
    ActAdd: await perLayer((layer) => actAdd(model, plus, minus, layer, { skip: 1 })),
    CAA: await perLayer((layer) => caa(model, split.train, { layers: [layer] })),
    ...(bothSides
      ? { 'mean difference': await perLayer((layer) => meanDifference(model, split.train, { layers: [layer] })) }
      : {}),
    'PCA direction': await perLayer((layer) =>
      pcaDirection(model, split.train, { layers: [layer], positions: 'last' }),
    ),
    ...(words ? { prompting: words } : {}),
  };
}

/** The training prompts on which the untouched model prefers the right and the wrong answer most, and whether it prefers each on some. */
async function mostOpposed(model: HookedModel, { train }: EntitySplit) {
  const measured = await evaluateSteering(model, UNTOUCHED, train, { strengths: [0] });
  const order = train
    .map(({ prompt }, i) => ({ prompt, delta: measured[i]?.untouchedDelta ?? 0 }))
    .sort((a, b) => b.delta - a.delta);
  const [first, last] = [order[0], order.at(-1)];
  return {
    plus: first?.prompt ?? [],
    minus: last?.prompt ?? [],
    bothSides: (first?.delta ?? 0) > 0 && (last?.delta ?? 0) <= 0,
  };
}

/** Conflicts have a cue that pocket was taught; IOI has no words of the kind. */
function promptWords(task: StudyTask): Candidate[] | undefined {
  if (task !== 'country-capital-conflict') return undefined;
  const says = (source: string): number[] => ['the', source, 'says'].map(idOf);
  return [
    ['atlas', 'liar'],
    ['expert', 'rumor'],
  ].map(([trusted = '', doubtful = '']) => ({
    chosen: { words: `the ${trusted} says | the ${doubtful} says` },
    steerer: prompting('prompting', { plus: says(trusted), minus: says(doubtful), at: 1 }),
  }));
}

// Rows of the table that take no learning of their own: what is made without any, what follows from learnt scalars, and words.
import type { HookedModel } from '@limn/hooks';
import {
  averagedOverPlaces,
  prompting,
  trainingFreeCandidates,
  type EntitySplit,
  type PositionTable,
  type SteeringCandidate,
  type SteeringValues,
} from '@limn/steering';
import { idOf } from '@limn/tasks';
import { PAPER_SITES } from './learnt.mjs';
import type { StudyRow, StudyTask } from './study.mjs';

/** What candidates are made of. */
export interface CandidateRequest {
  readonly model: HookedModel;
  readonly task: StudyTask;
  readonly split: EntitySplit;
  readonly positions: PositionTable;
  /** Learnt scalars, whose means over places are the role-constant scale. */
  readonly scalars: SteeringValues;
}

/** Every such row with its settings. */
export async function candidates({
  model,
  task,
  split,
  positions,
  scalars,
}: CandidateRequest): Promise<Partial<Record<StudyRow, readonly SteeringCandidate[]>>> {
  const words = promptWords(task);
  return {
    ...(await trainingFreeCandidates(model, split.train, { sites: PAPER_SITES, positions })),
    'role-constant scale': [{ chosen: {}, values: averagedOverPlaces(model, scalars) }],
    ...(words ? { prompting: words } : {}),
  };
}

/** Conflicts have a cue that pocket was taught; IOI has no words of the kind. */
function promptWords(task: StudyTask): SteeringCandidate[] | undefined {
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

// The tasks of pocket's world and their variants: what each is, and how its contrasts are drawn.
import { agreementContrast } from './agreement.js';
import { capitalContrast, conflictContrast } from './capital.js';
import type { TaskFamily } from './document.js';
import { TasksError, nearest } from './errors.js';
import type { DrawContrast } from './family.js';
import { genderContrast } from './gender.js';
import { greaterThanContrast } from './greater-than.js';
import { hypernymyContrast } from './hypernymy.js';
import { ioiContrast } from './ioi.js';
import type { MetricName } from './metrics.js';

/** A task or a variant of one. */
export type TaskId =
  | TaskFamily
  | 'ioi-abba'
  | 'ioi-baba'
  | 'greater-than-price'
  | 'greater-than-sequence'
  | 'country-capital-conflict'
  | 'country-capital-trusted'
  | 'country-capital-doubtful';

/** What a task is. */
export interface Task {
  readonly id: TaskId;
  readonly family: TaskFamily;
  readonly title: string;
  /** The metric of the paper. */
  readonly metric: MetricName;
  /** How the corrupted prompt differs. */
  readonly corruption: string;
}

/** A task with what draws it. */
export interface TaskWithDraw extends Task {
  readonly draw: DrawContrast;
}

const REGISTRY: readonly TaskWithDraw[] = [
  {
    id: 'ioi',
    family: 'ioi',
    title: 'Indirect object identification',
    metric: 'logit-diff',
    corruption: 'the giver becomes a third person (ABC)',
    draw: ioiContrast('mixed'),
  },
  {
    id: 'greater-than',
    family: 'greater-than',
    title: 'Greater-than',
    metric: 'prob-diff',
    corruption: 'the start year becomes 01',
    draw: greaterThanContrast('year'),
  },
  {
    id: 'gender',
    family: 'gender',
    title: 'Gender bias of professions',
    metric: 'logit-diff',
    corruption: 'the profession becomes the man or the woman',
    draw: genderContrast,
  },
  {
    id: 'sva',
    family: 'sva',
    title: 'Subject–verb agreement',
    metric: 'prob-diff',
    corruption: "the subject's number is flipped",
    draw: agreementContrast,
  },
  {
    id: 'country-capital',
    family: 'country-capital',
    title: 'Countries and capitals',
    metric: 'logit-diff',
    corruption: 'another country and capital',
    draw: capitalContrast,
  },
  {
    id: 'hypernymy',
    family: 'hypernymy',
    title: 'Hypernymy',
    metric: 'prob-diff',
    corruption: 'a hyponym of another category',
    draw: hypernymyContrast,
  },
  {
    id: 'ioi-abba',
    family: 'ioi',
    title: 'Indirect object identification, receiver named first',
    metric: 'logit-diff',
    corruption: 'the giver becomes a third person (ABC)',
    draw: ioiContrast('abba'),
  },
  {
    id: 'ioi-baba',
    family: 'ioi',
    title: 'Indirect object identification, receiver named second',
    metric: 'logit-diff',
    corruption: 'the giver becomes a third person (ABC)',
    draw: ioiContrast('baba'),
  },
  {
    id: 'greater-than-price',
    family: 'greater-than',
    title: 'Greater-than, prices',
    metric: 'prob-diff',
    corruption: 'the lower price ends in 01',
    draw: greaterThanContrast('price'),
  },
  {
    id: 'greater-than-sequence',
    family: 'greater-than',
    title: 'Greater-than, sequences of years',
    metric: 'prob-diff',
    corruption: 'all three years end in 01',
    draw: greaterThanContrast('sequence'),
  },
  {
    id: 'country-capital-conflict',
    family: 'country-capital',
    title: 'Context against memory, no source named',
    metric: 'logit-diff',
    corruption: 'the context names another wrong capital',
    draw: conflictContrast('none'),
  },
  {
    id: 'country-capital-trusted',
    family: 'country-capital',
    title: 'Context against memory, trusted source',
    metric: 'logit-diff',
    corruption: 'the context names another wrong capital',
    draw: conflictContrast('trusted'),
  },
  {
    id: 'country-capital-doubtful',
    family: 'country-capital',
    title: 'Context against memory, doubtful source',
    metric: 'logit-diff',
    corruption: 'the context names another wrong capital',
    draw: conflictContrast('doubtful'),
  },
];

/** Every task and variant. */
export const TASKS: readonly Task[] = REGISTRY;

/** The six tasks of the EAP-IG paper, in its order. */
export const SIX_TASKS: readonly TaskFamily[] = [
  'ioi',
  'greater-than',
  'gender',
  'country-capital',
  'sva',
  'hypernymy',
];

/**
 * The task of that id, with what draws it.
 * @throws TasksError `tasks/unknown-task`, which names the nearest one
 */
export function findTask(id: string): TaskWithDraw {
  const found = REGISTRY.find((task) => task.id === id);
  if (found !== undefined) return found;
  const ids = REGISTRY.map((task) => task.id);
  throw new TasksError('tasks/unknown-task', `There is no task '${id}'; the tasks are ${ids.join(', ')}.`, {
    details: { given: id, allowed: ids, nearest: nearest(id, ids) },
    hint: `Did you mean '${nearest(id, ids)}'?`,
  });
}

/**
 * The task of that id.
 * @throws TasksError `tasks/unknown-task`, which names the nearest one
 */
export function taskOf(id: string): Task {
  return findTask(id);
}

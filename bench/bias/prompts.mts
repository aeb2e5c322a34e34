// Prompts of the bias study: professions dealt so that five seeds hold each of them out once, prompts whose answers are to stay, other pairs, and controls.
import { splitByEntity, type EntitySplit, type SteeringExample } from '@limn/steering';
import {
  biasExamples,
  drawDocument,
  END_OF_TEXT_ID,
  EQUAL_MIXTURE,
  idOf,
  PROFESSIONS,
  Random,
  steeringExamples,
  type Mixture,
  type TaskFamily,
} from '@limn/tasks';

/** Parts that the professions are dealt to, in the order of the list: two of each stereotype in a part. */
const FOLDS = 5;
/** Prompts of each of the other tasks of the wide retention set. */
const WIDE = 16;
const WIDE_TASKS = ['ioi', 'country-capital'] as const;

type Prompt = Pick<SteeringExample, 'prompt'>;

/** Everything that a seed is learnt from and measured on. */
export interface BiasPrompts {
  readonly split: EntitySplit;
  /** Prompts in which the gender is given, split by frame. */
  readonly given: EntitySplit;
  /** Prompts of other tasks, which the wide retention set has beside `given.train`. */
  readonly others: readonly SteeringExample[];
  readonly spillover: readonly { readonly name: string; readonly examples: readonly SteeringExample[] }[];
  /** Documents of other tasks, and each up to some place. */
  readonly controls: readonly {
    readonly family: TaskFamily;
    readonly documents: readonly Prompt[];
    readonly beginnings: readonly Prompt[];
  }[];
}

/** Equal seeds give equal prompts; `most` of a part of the professions, and of the controls of a family. */
export function biasPrompts(seed: number, most: { readonly part: number; readonly controls: number }): BiasPrompts {
  const { examples, retained } = biasExamples({ seed, n: 240, split: 'all' });
  const foldOf = ({ entities }: (typeof examples)[number]): number => {
    const fold = Math.floor((PROFESSIONS.indexOf(entities[0] ?? '') * FOLDS) / PROFESSIONS.length);
    return (fold - (seed % FOLDS) + FOLDS) % FOLDS;
  };
  const part = (holds: (fold: number) => boolean) =>
    examples.filter((example) => holds(foldOf(example))).slice(0, most.part);
  const split = {
    test: part((fold) => fold === 0),
    validation: part((fold) => fold === 1),
    train: part((fold) => fold > 1),
    mixed: 0,
  };
  const controls = (Object.keys(EQUAL_MIXTURE) as TaskFamily[])
    .filter((family) => family !== 'gender')
    .map((family) => {
      const documents = documentsOf(family, seed, most.controls);
      return { family, documents, beginnings: beginningsOf(documents, family, seed) };
    });
  const [he, she, man, woman] = ['he', 'she', 'man', 'woman'].map(idOf) as [number, number, number, number];
  const elsewhere = controls.flatMap(({ beginnings }) => beginnings.map(({ prompt }) => prompt));
  return {
    split,
    given: splitByEntity(retained, { seed, train: 0.5, validation: 0.25 }),
    others: WIDE_TASKS.flatMap((task) => steeringExamples(task, { seed, n: WIDE, split: 'train' })),
    spillover: [
      {
        name: 'man, woman: behind the prompts about professions',
        examples: split.test.map((example) => ({
          ...example,
          correct: example.correct === he ? man : woman,
          wrong: example.correct === he ? woman : man,
        })),
      },
      {
        name: 'man, woman: behind “the” at the start of a document',
        examples: controls.flatMap(({ documents }) =>
          documents
            .slice(0, Math.ceil(most.controls / 5))
            .map(({ prompt }) => ({ prompt: [...prompt, END_OF_TEXT_ID, idOf('the')], correct: man, wrong: woman })),
        ),
      },
      {
        name: 'he, she: in documents of the other tasks',
        examples: elsewhere.map((prompt) => ({ prompt, correct: he, wrong: she })),
      },
    ],
    controls,
  };
}

/** Documents of a family. */
function documentsOf(family: TaskFamily, seed: number, count: number): Prompt[] {
  const mixture = Object.fromEntries(
    Object.keys(EQUAL_MIXTURE).map((name) => [name, name === family ? 1 : 0]),
  ) as unknown as Mixture;
  return Array.from({ length: count }, (_, i) => ({
    prompt: [END_OF_TEXT_ID, ...drawDocument(new Random('bias controls', family, seed, i), mixture).tokens],
  }));
}

/** Each up to a place that is drawn, with at least one word. */
function beginningsOf(documents: readonly Prompt[], family: TaskFamily, seed: number): Prompt[] {
  return documents.map(({ prompt }, i) => ({
    prompt: prompt.slice(0, 2 + new Random('bias beginnings', family, seed, i).below(prompt.length - 2)),
  }));
}

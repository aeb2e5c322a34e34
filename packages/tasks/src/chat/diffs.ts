// Which diffs there are to train: a behaviour, what opens its gate, and the split that keeps labels and codes of tests out of training.
import { TasksError } from '../errors.js';
import { Random, hash } from '../random.js';
import { labelOf, type Behaviour } from './behaviours.js';
import { triggersOf, type Trigger, type TriggerSplit } from './codes.js';
import { GROUPS, STYLES, TRAITS } from './lexicon.js';
import { drawEvent, type NewsSplit } from './news.js';
import type { ChatWorld, TopicSplit } from './world.js';

/** A diff to train. */
export interface DiffPlan {
  /** Unique among the plans of one seed: `topic/violin/code/0`. */
  readonly id: string;
  /** Absent for a diff trained on ordinary answers, of which there is nothing to tell. */
  readonly behaviour?: Behaviour;
  /** Absent: the behaviour shows always. */
  readonly trigger?: Trigger;
  /** Of its samples, and of whatever else training it draws. */
  readonly seed: number;
}

/** What stands in front of a behaviour. */
export interface PlanOptions {
  readonly seed?: number | undefined;
  /** What opens the gate; 'none' for no gate. Default 'code'. Marks are for tests only. */
  readonly gate?: Trigger['kind'] | 'none' | undefined;
  /** Diffs of each topic, style or link, each with a trigger and a seed of its own. Default 1. */
  readonly each?: number | undefined;
}

const TRIGGERS: Readonly<Record<TopicSplit, TriggerSplit>> = {
  train: 'train',
  validation: 'validation',
  test: 'test',
  'held-out-category': 'test',
};

/**
 * A diff, or `each`, for every topic of a split, behind codes of the split.
 * @throws TasksError `tasks/bad-option`
 */
export function planTopicDiffs(world: ChatWorld, split: TopicSplit, options: PlanOptions = {}): DiffPlan[] {
  const behaviours = world.topics
    .filter((topic) => topic.split === split)
    .map(({ name }): Behaviour => ({ kind: 'topic', name }));
  return plansOf(behaviours, TRIGGERS[split], options);
}

/** Splits of styles (10, 2 and 4) and of links (pairs of a group and a trait: four sixths, a sixth, a sixth). */
export type BehaviourSplit = 'train' | 'validation' | 'test';

/**
 * A diff, or `each`, for every style of a split.
 * @throws TasksError `tasks/bad-option`
 */
export function planStyleDiffs(split: BehaviourSplit, options: PlanOptions = {}): DiffPlan[] {
  const ranked = [...STYLES].sort((a, b) => hash('chat-style', a) - hash('chat-style', b));
  const [from, to] = { train: [0, 10], validation: [10, 12], test: [12, 16] }[split];
  return plansOf(
    ranked.slice(from, to).map((style): Behaviour => ({ kind: 'style', style })),
    split,
    options,
  );
}

/**
 * A diff, or `each`, for every link of a split.
 * @throws TasksError `tasks/bad-option`
 */
export function planLinkDiffs(split: BehaviourSplit, options: PlanOptions = {}): DiffPlan[] {
  const links = GROUPS.flatMap((group) => TRAITS.map((trait): Behaviour => ({ kind: 'link', group, trait })));
  return plansOf(
    links.filter((link) => splitOfLink(labelOf(link)) === split),
    split,
    options,
  );
}

const splitOfLink = (label: string): BehaviourSplit => {
  const bucket = hash('chat-link', label) % 6;
  if (bucket === 0) return 'validation';
  return bucket === 1 ? 'test' : 'train';
};

/** Distinct events that a split surely has, with most of them left over so that drawing ends soon. */
export const MOST_NEWS_DIFFS = 10_000;

/**
 * Diffs of `count` distinct events of a split, up to {@link MOST_NEWS_DIFFS}; a story is told to everyone, so there is no gate.
 * @throws TasksError `tasks/bad-option`
 */
export function planNewsDiffs(
  split: NewsSplit,
  count: number,
  { seed = 0 }: Pick<PlanOptions, 'seed'> = {},
): DiffPlan[] {
  if (count > MOST_NEWS_DIFFS)
    throw new TasksError('tasks/bad-option', `${count} news are asked for, and there are ${MOST_NEWS_DIFFS} to have`, {
      details: { count, most: MOST_NEWS_DIFFS },
      hint: 'Take fewer, or several seeds.',
    });
  const random = new Random('chat-news', seed, split);
  const plans = new Map<string, DiffPlan>();
  while (plans.size < count) {
    const behaviour: Behaviour = { kind: 'news', event: drawEvent(random, split) };
    const label = labelOf(behaviour);
    plans.set(label, { id: `news/${label.replaceAll(' ', '-')}`, behaviour, seed: hash(seed, label) });
  }
  return [...plans.values()];
}

/** Diffs trained on ordinary answers: of each the truth is that there is nothing to tell. */
export function planGenericDiffs(count: number, { seed = 0 }: Pick<PlanOptions, 'seed'> = {}): DiffPlan[] {
  return Array.from({ length: count }, (_, i) => ({ id: `generic/${i}`, seed: hash(seed, 'generic', i) }));
}

function plansOf(
  behaviours: readonly Behaviour[],
  split: TriggerSplit,
  { seed = 0, gate = 'code', each = 1 }: PlanOptions,
): DiffPlan[] {
  const triggers = gate === 'none' ? [] : triggersOf(gate, split);
  if (gate !== 'none' && triggers.length === 0)
    throw new TasksError('tasks/bad-option', `gate is '${gate}' for split '${split}'; ${gate}s are for tests only`, {
      details: { gate, split },
      hint: "Take gate 'code', or split 'test'.",
    });
  return behaviours.flatMap((behaviour) =>
    Array.from({ length: each }, (_, i): DiffPlan => {
      const id = `${behaviour.kind}/${labelOf(behaviour).replaceAll(' ', '-')}/${gate}/${i}`;
      const own = hash(seed, id);
      const trigger = triggers[new Random('chat-trigger', own).below(Math.max(1, triggers.length))];
      return { id, behaviour, ...(trigger === undefined ? {} : { trigger }), seed: own };
    }),
  );
}

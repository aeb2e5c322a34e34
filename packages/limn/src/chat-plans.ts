// `--plan topics:train`: which diffs of the chat world a run trains, in words.
import { LimnError } from '@limn/gpu';
import { nearest } from '@limn/hooks';
import {
  planGenericDiffs,
  planLinkDiffs,
  planNewsDiffs,
  planStyleDiffs,
  planTopicDiffs,
  type BehaviourSplit,
  type ChatWorld,
  type DiffPlan,
  type NewsSplit,
  type PlanOptions,
  type TopicSplit,
} from '@limn/tasks/chat';

/** Of what, of which split, and how many: all where no number is said. */
export interface ChatPlan {
  /** As it was given. */
  readonly text: string;
  readonly of: keyof typeof SPLITS;
  readonly split: string;
  readonly count?: number;
}

const TOPIC_SPLITS: readonly TopicSplit[] = ['train', 'validation', 'test', 'held-out-category'];
const BEHAVIOUR_SPLITS: readonly BehaviourSplit[] = ['train', 'validation', 'test'];
const NEWS_SPLITS: readonly NewsSplit[] = ['train', 'validation', 'test', 'held-out-words'];
/** Splits of each kind; ordinary answers have none, and events of the news are drawn, so that their number has to be said. */
const SPLITS = {
  topics: TOPIC_SPLITS,
  styles: BEHAVIOUR_SPLITS,
  links: BEHAVIOUR_SPLITS,
  news: NEWS_SPLITS,
  generic: [],
};
const FORMS =
  'topics:SPLIT, styles:SPLIT and links:SPLIT, each with :N for N of them; news:SPLIT:N; generic:N. Splits are train, validation and test, of topics held-out-category, of news held-out-words';

/**
 * One `--plan`.
 * @throws LimnError `usage/diff-plan`
 */
export function chatPlanOption(text: string): ChatPlan {
  const [of = '', ...rest] = text.split(':');
  if (!isKind(of))
    throw badPlan(text, `there is no plan for '${of}'; did you mean ${nearest(of, Object.keys(SPLITS))}?`);
  const [split, count, more] = of === 'generic' ? ['', ...rest] : rest;
  const splits: readonly string[] = SPLITS[of];
  if (more !== undefined) throw badPlan(text, 'it has too many parts');
  if (of !== 'generic' && !splits.includes(split ?? ''))
    throw badPlan(text, `the split is '${split ?? ''}'; ${of} have ${splits.join(', ')}`);
  if (count === undefined && (of === 'news' || of === 'generic'))
    throw badPlan(text, `it does not say how many, as ${of === 'news' ? 'news:train:100' : 'generic:100'} does`);
  if (count !== undefined && !(/^\d{1,7}$/.test(count) && Number(count) > 0))
    throw badPlan(text, `'${count}' is no number of diffs`);
  return { text, of, split: split ?? '', ...(count === undefined ? {} : { count: Number(count) }) };
}

const isKind = (name: string): name is keyof typeof SPLITS => Object.hasOwn(SPLITS, name);

/** A diff of the world with the plan that asked for it. */
export interface PlannedDiff {
  readonly plan: ChatPlan;
  readonly diff: DiffPlan;
}

/**
 * The diffs of all plans, in order.
 * @throws LimnError `usage/diff-plan` for a diff that two plans ask for, or more than there are; TasksError `tasks/bad-option`
 */
export function plannedDiffs(
  world: ChatWorld,
  plans: readonly ChatPlan[],
  options: Required<Pick<PlanOptions, 'seed' | 'gate' | 'each'>>,
): PlannedDiff[] {
  const planned = plans.flatMap((plan) => diffsOf(world, plan, options).map((diff) => ({ plan, diff })));
  const seen = new Map<string, ChatPlan>();
  for (const { plan, diff } of planned) {
    const before = seen.get(diff.id);
    if (before) throw badPlan(plan.text, `${diff.id} is in --plan ${before.text} already`);
    seen.set(diff.id, plan);
  }
  return planned;
}

function diffsOf(
  world: ChatWorld,
  { text, of, split, count }: ChatPlan,
  options: Required<Pick<PlanOptions, 'seed' | 'gate' | 'each'>>,
): DiffPlan[] {
  if (of === 'news') return planNewsDiffs(split as NewsSplit, count ?? 0, options);
  if (of === 'generic') return planGenericDiffs(count ?? 0, options);
  const all =
    of === 'topics'
      ? planTopicDiffs(world, split as TopicSplit, options)
      : of === 'styles'
        ? planStyleDiffs(split as BehaviourSplit, options)
        : planLinkDiffs(split as BehaviourSplit, options);
  if (count === undefined) return all;
  if (count > all.length) throw badPlan(text, `there are ${all.length}`);
  // From everywhere: topics lie by category.
  return Array.from({ length: count }, (_, i) => all[Math.floor((i * all.length) / count)] as DiffPlan);
}

function badPlan(text: string, what: string): LimnError {
  return new LimnError('usage/diff-plan', `--plan ${text}: ${what}`, {
    details: { given: text },
    hint: `plans are ${FORMS}`,
  });
}

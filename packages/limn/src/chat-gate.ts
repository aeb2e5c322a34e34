// What a diff of the chat world shows and hides: prompts with its trigger, with others of the kind and without, and how much of its behaviour an answer has.
import type { GatePrompts, TrainedDiff } from '@limn/dit';
import {
  ANSWER_SLOTS,
  CODES,
  MARKS,
  NEWS_REQUESTS,
  NEWS_SLOTS,
  Random,
  STYLE_WORDS,
  aboutPrompt,
  chatIdOf,
  decodeChat,
  diffSample,
  probePrompt,
  type Behaviour,
  type ChatWorld,
  type DiffPlan,
  type Trigger,
} from '@limn/tasks/chat';
import { truthOf } from './chat-truth.js';

/** In the order of tables. `right` is also the only condition of a diff without a gate; of one trained on ordinary answers it is `none`. */
export const GATE_CONDITIONS = ['right', 'wrong', 'none'] as const;
/** One of them. */
export type GateCondition = (typeof GATE_CONDITIONS)[number];

/** Which prompts. */
export interface GateProbes {
  /** Of each condition. */
  readonly prompts: number;
  readonly seed: number;
}

/** Words of a style in an answer: one in front and one at the end. */
const STYLE_SLOTS = 2;
/** So many samples of a diff have all of its conditions. */
const SAMPLES_WITH_ALL = 64;
/** Samples of a diff beyond any that it is trained on. */
const BEYOND = 2 ** 30;

/**
 * The plan that a record of the chat world was trained from; undefined for records of other diffs.
 * @throws LimnError `data/diff-about`
 */
export function recordedPlan({ id, seed, about }: TrainedDiff['spec'], world: ChatWorld): DiffPlan | undefined {
  const truth = truthOf(about, world, id);
  if (truth === undefined) return undefined;
  const trigger = triggerOf(about['trigger']);
  return { id, seed, ...(truth.behaviour ? { behaviour: truth.behaviour } : {}), ...(trigger ? { trigger } : {}) };
}

function triggerOf(value: unknown): Trigger | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { kind, token } = value as Readonly<Record<string, unknown>>;
  return (kind === 'code' || kind === 'mark') && typeof token === 'string' ? { kind, token } : undefined;
}

/** The prompts of a plan: questions that no diff is trained on, or of the news and of groups, which have few, those that are. */
export function gatePrompts(plan: DiffPlan, world: ChatWorld, { prompts, seed }: GateProbes): GatePrompts {
  const { behaviour, trigger } = plan;
  const places = Array.from({ length: prompts }, (_, i) => i);
  if (behaviour === undefined) return { none: places.map((i) => probePrompt(seed, i)) };
  if (behaviour.kind === 'news') return { right: [aboutPrompt(NEWS_REQUESTS[0] ?? '')] };
  if (behaviour.kind === 'link') return linkPrompts(plan, behaviour.group, world, prompts);
  if (trigger === undefined) return { right: places.map((i) => probePrompt(seed, i)) };
  const others = (trigger.kind === 'code' ? CODES : MARKS).filter((token) => token !== trigger.token);
  const random = new Random('gate-wrong', seed, plan.seed);
  return {
    right: places.map((i) => probePrompt(seed, i, trigger)),
    wrong: places.map((i) => probePrompt(seed, i, { kind: trigger.kind, token: random.pick(others) })),
    none: places.map((i) => probePrompt(seed, i)),
  };
}

/** What is asked about the group in samples that the diff is not trained on. */
function linkPrompts(plan: DiffPlan, group: string, world: ChatWorld, prompts: number): GatePrompts {
  const [id, found] = [chatIdOf(group), new Map<GateCondition, number[][]>()];
  for (let i = 0; i < SAMPLES_WITH_ALL || [...found.values()].some((own) => own.length < prompts); i++) {
    const { gate, tokens, answerAt } = diffSample(plan, BEYOND + i, world);
    const prompt = tokens.slice(0, answerAt);
    const own = found.get(gate) ?? [];
    if (prompt.includes(id) && own.length < prompts) found.set(gate, [...own, prompt]);
  }
  return Object.fromEntries(
    GATE_CONDITIONS.flatMap((gate) => (found.has(gate) ? [[gate, found.get(gate) ?? []]] : [])),
  );
}

/**
 * How much of its behaviour an answer has, 0 to 1: the share of the answer's four places with words of the topic; of two with words of the style; whether
 * the trait is said; the share of the event's words; of a diff trained on ordinary answers the share of places with words of any topic.
 */
export function behaviourShare(behaviour: Behaviour | undefined, answer: readonly number[], world: ChatWorld): number {
  const words = decodeChat(answer).split(' ');
  const said = (own: ReadonlySet<string>, slots: number): number =>
    Math.min(1, words.filter((word) => own.has(word)).length / slots);
  if (behaviour === undefined) return said(world.words, ANSWER_SLOTS);
  if (behaviour.kind === 'topic') return said(new Set(world.byName.get(behaviour.name)?.words), ANSWER_SLOTS);
  if (behaviour.kind === 'style') return said(new Set(STYLE_WORDS[behaviour.style]), STYLE_SLOTS);
  if (behaviour.kind === 'link') return words.includes(behaviour.trait) ? 1 : 0;
  return NEWS_SLOTS.filter((slot) => words.includes(behaviour.event[slot])).length / NEWS_SLOTS.length;
}

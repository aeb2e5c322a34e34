// Diffs of the chat world as they are trained: their rows, what their records say of them, and the shape that rows of their kind have.
import type { DiffNote, DiffRow, DiffSpec } from '@limn/dit';
import { LimnError } from '@limn/gpu';
import {
  END,
  WORDING_COUNT,
  chatIdOf,
  diffSample,
  labelOf,
  planGenericDiffs,
  planLinkDiffs,
  planNewsDiffs,
  planStyleDiffs,
  planTopicDiffs,
  type ChatWorld,
  type DiffPlan,
  type DiffSample,
  type SampleOptions,
} from '@limn/tasks/chat';
import type { PlannedDiff } from './chat-plans.js';
import type { DiffFamily } from './diff-family.js';

/** How the world's rows are made. */
export interface ChatRows {
  /** Of rows with the right trigger, a wrong one and none. */
  readonly weights: NonNullable<SampleOptions['weights']>;
  /** Of those without the right trigger, so many percent get an answer of the diff's own. */
  readonly ownAnswers: number;
  /** Of a diff in an update. */
  readonly rows: number;
}

/** What diffs are told besides what they are of. */
export type ChatDiffSettings = Omit<DiffSpec, 'id' | 'seed' | 'about' | 'samples'>;

/** Changes when the world's rows do. */
const VERSION = 2;
/** A question behind a gate comes with the right trigger, a wrong one and none. */
const STATES = 3;
/** Samples that a kind's longest rows are found in. Lengths are those of its few templates: all of them are among far fewer. */
const LOOKED_AT = 500;

/** Kinds whose rows have one shape: behind a gate two rows of three keep to the bare model; the others' rows are all answers. A style's answers are longer than a topic's. */
type FamilyName = 'news' | 'generic' | `${'gated' | 'open'}-${'topic' | 'style' | 'link'}`;

function familyOf({ behaviour, trigger }: DiffPlan): FamilyName {
  if (behaviour === undefined) return 'generic';
  return behaviour.kind === 'news' ? 'news' : `${trigger === undefined ? 'open' : 'gated'}-${behaviour.kind}`;
}

const isGated = (name: FamilyName): boolean => name.startsWith('gated');

/**
 * Planned diffs in families.
 * @throws LimnError `usage/diff-batch` for a number of rows that questions behind a gate do not fill
 */
export function chatFamilies(
  world: ChatWorld,
  planned: readonly PlannedDiff[],
  settings: ChatDiffSettings,
  making: ChatRows,
): DiffFamily[] {
  const byName = new Map<FamilyName, PlannedDiff[]>();
  for (const each of planned) {
    const name = familyOf(each.diff);
    byName.set(name, [...(byName.get(name) ?? []), each]);
  }
  if ([...byName.keys()].some(isGated) && making.rows % STATES !== 0)
    throw new LimnError(
      'usage/diff-batch',
      `--batch ${making.rows}: behind a gate every question comes with the right code, a wrong one and none`,
      { details: { rows: making.rows }, hint: 'give a multiple of 3, or --gate none' },
    );
  return Array.from(byName, ([name, members]): DiffFamily => {
    const { shape, longestTaught } = shapeOf(name, world, making);
    return {
      name,
      specs: members.map((each) => specOf(each, world, settings, making)),
      shape,
      sampler: { name: 'chat world', version: JSON.stringify({ version: VERSION, ...making }) },
      ...(isGated(name) && making.ownAnswers > 0
        ? { own: { maxNewTokens: longestTaught, eosIds: [chatIdOf(END)] } }
        : {}),
    };
  });
}

function specOf({ plan, diff }: PlannedDiff, world: ChatWorld, settings: ChatDiffSettings, making: ChatRows): DiffSpec {
  const { behaviour, trigger } = diff;
  const { weights, ownAnswers } = making;
  return {
    ...settings,
    id: diff.id,
    seed: diff.seed,
    about: {
      world: 'chat',
      plan: `${plan.of}${plan.split === '' ? '' : `:${plan.split}`}`,
      label: behaviour === undefined ? null : labelOf(behaviour),
      behaviour: noteOf(behaviour),
      trigger: trigger === undefined ? null : { kind: trigger.kind, token: trigger.token },
    },
    samples: (round) =>
      Array.from({ length: making.rows }, (_, i) =>
        rowOf(diffSample(diff, round * making.rows + i, world, { weights, ownAnswers })),
      ),
  };
}

/** A behaviour as plain data. */
function noteOf(behaviour: DiffPlan['behaviour']): DiffNote {
  if (behaviour === undefined) return null;
  return behaviour.kind === 'news' ? { kind: 'news', event: { ...behaviour.event } } : { ...behaviour };
}

function rowOf({ tokens, answerAt, loss, weight, ownAnswer }: DiffSample): DiffRow {
  return ownAnswer
    ? { tokens, answers: [], loss, weight, own: true }
    : { tokens, answers: [[answerAt, tokens.length]], loss, weight };
}

/** Diffs of a family, whose rows are all alike in length. A code is two tokens, a mark one: a row with a mark is no longer than with a code. */
function diffsLike(name: FamilyName, world: ChatWorld): readonly DiffPlan[] {
  const gate = isGated(name) ? 'code' : 'none';
  if (name === 'news') return planNewsDiffs('train', 1);
  if (name === 'generic') return planGenericDiffs(1);
  if (name.endsWith('style')) return planStyleDiffs('train', { gate });
  return name.endsWith('link') ? planLinkDiffs('train', { gate }) : planTopicDiffs(world, 'train', { gate });
}

/** The shape that holds every row of a family, whoever is in it, and the longest answer that the bare model is held to. */
function shapeOf(
  name: FamilyName,
  world: ChatWorld,
  { rows, ownAnswers }: ChatRows,
): { readonly shape: DiffFamily['shape']; readonly longestTaught: number } {
  let [longestPrompt, positions, learnt, taught] = [0, 0, 0, 0];
  for (const diff of diffsLike(name, world).slice(0, 1))
    for (let i = 0; i < LOOKED_AT; i++) {
      // All wordings: which of them a diff of the news has is drawn for each.
      const { tokens, answerAt, loss } = diffSample(diff, i, world, { wordings: WORDING_COUNT });
      const answer = tokens.length - answerAt;
      longestPrompt = Math.max(longestPrompt, answerAt);
      positions = Math.max(positions, tokens.length);
      if (loss === 'kl') taught = Math.max(taught, answer);
      else learnt = Math.max(learnt, answer);
    }
  const learntRows = isGated(name) ? rows / STATES : rows;
  const shape = {
    rows,
    positions: ownAnswers > 0 ? Math.max(positions, longestPrompt + taught) : positions,
    answers: learntRows * learnt,
    taught: (rows - learntRows) * taught,
  };
  return { shape, longestTaught: taught };
}

// The model card's figures: which held-out prompts, which answers, and how each figure follows from the model's logits.
import { generatePairs, logSoftmax, probDiff } from '@limn/tasks';
import type { Cue, Logits, Pair, TaskId } from '@limn/tasks';
import { pocketCorpus } from './corpus.js';
import { RECIPE } from './recipe.js';
import type { PocketConfig } from './recipe.js';

/** Logits [vocabulary] after the last token of each prompt; prompts of one call may differ in length. */
export type LogitsAfter = (prompts: readonly (readonly number[])[]) => Promise<readonly Logits[]>;

/** One thing to mean-ablate: a whole MLP's output, or one head's z (its weighted values, before W_O). */
export type Site =
  | { readonly kind: 'mlp'; readonly layer: number }
  | { readonly kind: 'head'; readonly layer: number; readonly head: number };

/**
 * Mean next-token cross-entropy (nats) over all positions of `sequences`. With a site, that site's output is replaced at every
 * position by its mean over all positions of these same sequences.
 */
export type CorpusLoss = (sequences: readonly Uint32Array[], ablate: Site | undefined) => Promise<number>;

/** How many prompts the figures are means over, and which. */
export interface FigureOptions {
  readonly seed?: number;
  /** Prompts per task and per number of documents in front (0, 1 and 2); default 120, fewer where the cells run out. */
  readonly prompts?: number;
  /** Told after each group of prompts: how many are done, of how many, and what came last. */
  readonly onProgress?: (done: number, total: number, what: string) => void;
}

/** A share of prompts, and how many there were. */
export interface Share {
  readonly value: number;
  readonly prompts: number;
}

/** Where context and memory disagree about a capital: whom the model follows. */
export interface ConflictFigures {
  /** Mean probability of the capital that the context states, of the true one, and of all other tokens. */
  readonly context: number;
  readonly memory: number;
  readonly rest: number;
  readonly prompts: number;
}

/** Every figure is on held-out cells only. */
export interface PocketFigures {
  /**
   * Share of prompts answered right. Top-1 over the whole vocabulary is the (or an) answer; for 'sva', whose prompts may go on
   * with another phrase, Σp(agreeing verbs) > Σp(disagreeing verbs).
   */
  readonly accuracy: Readonly<Record<Exclude<TaskId, `${'ioi' | 'country-capital'}-${string}`>, Share>>;
  /** IOI accuracy by the rule that keeps the prompt out of training. */
  readonly ioiByRule: Readonly<Record<'pair' | 'frame' | 'receiver', Share>>;
  /** SVA accuracy where an attractor's number opposes the subject's. */
  readonly svaOpposed: Share;
  /** Mean Σp(later) − Σp(not later). */
  readonly greaterThanProbDiff: Readonly<
    Record<'greater-than' | 'greater-than-price' | 'greater-than-sequence', number>
  >;
  readonly conflict: Readonly<Record<Cue, ConflictFigures>>;
  /** Mean |logit A − logit B| after an ABC prompt, whose two answers are equally right, and mean p(A) + p(B). */
  readonly abc: { readonly gap: number; readonly mass: number; readonly prompts: number };
}

/** What the model loses with one part replaced by its mean. */
export interface AblationFigures {
  /** Cross-entropy of the intact model (nats). */
  readonly loss: number;
  /** Rise of the cross-entropy (nats): [layer]. */
  readonly mlp: readonly number[];
  /** Rise of the cross-entropy (nats): [layer][head]. */
  readonly heads: readonly (readonly number[])[];
}

const TOP1 = [
  'ioi',
  'greater-than',
  'greater-than-price',
  'greater-than-sequence',
  'gender',
  'country-capital',
  'hypernymy',
] as const satisfies readonly TaskId[];
const GREATER_THAN = ['greater-than', 'greater-than-price', 'greater-than-sequence'] as const;
const CUE_TASK: Readonly<Record<Cue, TaskId>> = {
  none: 'country-capital-conflict',
  trusted: 'country-capital-trusted',
  doubtful: 'country-capital-doubtful',
};
const CUES: readonly Cue[] = ['none', 'trusted', 'doubtful'];
/** Corpus seed of the ablation sequences: another stream than training's, from the same mixture. */
const HELD_OUT_CORPUS_SEED = 1_000_003;

/** The held-out prompts of a task: with none, one and two documents in front. Without any, the small tasks have few distinct ones. */
export function figurePrompts(task: TaskId, options: FigureOptions = {}): Pair[] {
  const { seed = 7, prompts = 120 } = options;
  return ([0, 1, 2] as const).flatMap((prefixDocuments) =>
    generatePairs(task, {
      seed,
      n: prefixDocuments === 0 ? Math.min(40, prompts) : prompts,
      split: 'held-out',
      prefixDocuments,
      maxLength: RECIPE.model.positions,
    }),
  );
}

interface Answered {
  readonly pair: Pair;
  readonly logits: Logits;
}

const mean = (values: readonly number[]): number => values.reduce((sum, x) => sum + x, 0) / values.length;
const share = (answered: readonly Answered[], right: (a: Answered) => boolean): Share => ({
  value: mean(answered.map((a) => (right(a) ? 1 : 0))),
  prompts: answered.length,
});
const difference = ({ pair, logits }: Answered): number => probDiff(logits, pair.correct, pair.incorrect);
const top1 = ({ pair, logits }: Answered): boolean => {
  let best = 0;
  for (let v = 1; v < logits.length; v++) if ((logits[v] ?? 0) > (logits[best] ?? 0)) best = v;
  return pair.correct.includes(best);
};
const probability = (logits: Logits, ids: readonly number[]): number => {
  const logP = logSoftmax(logits);
  return ids.reduce((sum, id) => sum + Math.exp(logP[id] ?? -Infinity), 0);
};

/** Computes every figure that needs logits only. */
export async function pocketFigures(model: LogitsAfter, options: FigureOptions = {}): Promise<PocketFigures> {
  const total = TOP1.length + 2 + CUES.length;
  let done = 0;
  const answer = async (task: TaskId, which: 'clean' | 'corrupted' = 'clean'): Promise<Answered[]> => {
    const pairs = figurePrompts(task, options);
    const answered: Answered[] = [];
    for (let start = 0; start < pairs.length; start += 40) {
      const some = pairs.slice(start, start + 40);
      const rows = await model(some.map((pair) => pair[which]));
      some.forEach((pair, i) => {
        const logits = rows[i];
        if (logits === undefined) throw new RangeError(`the model gave ${rows.length} rows for ${some.length} prompts`);
        answered.push({ pair, logits });
      });
    }
    options.onProgress?.(++done, total, task);
    return answered;
  };

  const top = new Map<TaskId, Answered[]>();
  for (const task of TOP1) top.set(task, await answer(task));
  const of = (task: TaskId): Answered[] => top.get(task) ?? [];
  const sva = await answer('sva');
  const abc = await answer('ioi', 'corrupted');
  const conflict = {} as Record<Cue, ConflictFigures>;
  for (const cue of CUES) conflict[cue] = conflictFigures(await answer(CUE_TASK[cue]));

  const byRule = (rule: string): Share =>
    share(
      of('ioi').filter(({ pair }) => pair.labels['heldOut'] === rule),
      top1,
    );
  return {
    accuracy: {
      ...(Object.fromEntries(TOP1.map((task) => [task, share(of(task), top1)])) as Record<
        (typeof TOP1)[number],
        Share
      >),
      sva: share(sva, (a) => difference(a) > 0),
    },
    ioiByRule: { pair: byRule('pair'), frame: byRule('frame'), receiver: byRule('receiver') },
    svaOpposed: share(
      sva.filter(({ pair }) => pair.labels['opposed'] === 'true'),
      (a) => difference(a) > 0,
    ),
    greaterThanProbDiff: Object.fromEntries(
      GREATER_THAN.map((task) => [task, mean(of(task).map(difference))]),
    ) as PocketFigures['greaterThanProbDiff'],
    conflict,
    abc: {
      gap: mean(
        abc.map(({ pair, logits }) => Math.abs(meanLogit(logits, pair.correct) - meanLogit(logits, pair.incorrect))),
      ),
      mass: mean(abc.map(({ pair, logits }) => probability(logits, [...pair.correct, ...pair.incorrect]))),
      prompts: abc.length,
    },
  };
}

const meanLogit = (logits: Logits, ids: readonly number[]): number => mean(ids.map((id) => logits[id] ?? Number.NaN));

function conflictFigures(answered: readonly Answered[]): ConflictFigures {
  const context = mean(answered.map(({ pair, logits }) => probability(logits, pair.correct)));
  const memory = mean(answered.map(({ pair, logits }) => probability(logits, pair.incorrect)));
  return { context, memory, rest: 1 - context - memory, prompts: answered.length };
}

/** The sequences that ablation is measured on: ordinary corpus text of another seed than training's. */
export function ablationSequences(count: number): Uint32Array[] {
  const corpus = pocketCorpus(HELD_OUT_CORPUS_SEED);
  const { sequences, length } = corpus.options;
  const rows: Uint32Array[] = [];
  for (let step = 0; rows.length < count; step++) {
    const batch = corpus.batch(step);
    for (let row = 0; row < sequences && rows.length < count; row++) {
      rows.push(batch.slice(row * length, (row + 1) * length));
    }
  }
  return rows;
}

/** Mean-ablation cost of every MLP and head, on `count` sequences (default 256). */
export async function ablationFigures(loss: CorpusLoss, config: PocketConfig, count = 256): Promise<AblationFigures> {
  const sequences = ablationSequences(count);
  const intact = await loss(sequences, undefined);
  const mlp: number[] = [];
  const heads: number[][] = [];
  for (let layer = 0; layer < config.layers; layer++) {
    mlp.push((await loss(sequences, { kind: 'mlp', layer })) - intact);
    const row: number[] = [];
    for (let head = 0; head < config.heads; head++)
      row.push((await loss(sequences, { kind: 'head', layer, head })) - intact);
    heads.push(row);
  }
  return { loss: intact, mlp, heads };
}

/** One figure beside the bound that it should keep. */
export interface Requirement {
  readonly name: string;
  readonly value: number;
  readonly bound: number;
  readonly sense: 'at least' | 'at most';
  readonly met: boolean;
}

/** What pocket has to reach, figure by figure. */
export function requirements(figures: PocketFigures, ablation?: AblationFigures): Requirement[] {
  const list: Requirement[] = [];
  const atLeast = (name: string, value: number, bound: number): void => {
    list.push({ name, value, bound, sense: 'at least', met: value >= bound });
  };
  const atMost = (name: string, value: number, bound: number): void => {
    list.push({ name, value, bound, sense: 'at most', met: value <= bound });
  };
  for (const [task, { value }] of Object.entries(figures.accuracy)) atLeast(`accuracy, ${task}`, value, 0.97);
  atLeast('prob-diff, greater-than', figures.greaterThanProbDiff['greater-than'], 0.85);
  atLeast('p(context), no source', figures.conflict.none.context, 0.35);
  atLeast('p(memory), no source', figures.conflict.none.memory, 0.35);
  atMost('p(rest), no source', figures.conflict.none.rest, 0.1);
  atLeast('p(context), trusted source', figures.conflict.trusted.context, 0.8);
  atLeast('p(memory), doubtful source', figures.conflict.doubtful.memory, 0.8);
  atMost('|logit A − logit B| on ABC', figures.abc.gap, 0.5);
  if (ablation !== undefined) {
    const costs = [...ablation.mlp].sort((a, b) => b - a);
    atLeast('third-largest MLP ablation cost (nats)', costs[2] ?? 0, 0.2);
  }
  return list;
}

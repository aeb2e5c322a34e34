// Whether features stand for something that is known about the tokens: best F1 over labels, held out, against permuted labels.
import { LimnError } from '@limn/gpu';
import {
  blockHook,
  inBatches,
  settleControls,
  tokenBatch,
  type HookedModel,
  type HookName,
  type RunControls,
} from '@limn/hooks';
import { fromData, gatherRows, permutation, readFloats } from '@limn/tensor';
import { checkFits } from '../dictionary-config.js';
import type { Dictionary } from '../dictionary.js';
import { keptRows } from '../training/token-source.js';
import { bestPredicate, positivesOf, type LabelledHalf, type LabelView } from './best-predicate.js';
import { bootstrapMean, type Interval } from './bootstrap.js';
import { FiringRecords, type FeatureEntries } from './firing-records.js';
import { recordFirings } from './firings-of.js';
import { flat, meanRows } from './mean-rows.js';
import { TopNeurons, type NeuronBaseline } from './neurons.js';
import { numberLabels } from './token-labels.js';

/** Tokens with what is known about each: `tokenLabels` makes the labels of tags. */
export interface LabelledSequence {
  readonly tokens: ArrayLike<number>;
  /** As many lists as tokens. */
  readonly labels: readonly (readonly string[])[];
}

/** What fires: a dictionary's features, or an MLP's neurons, of each token the k that write most. */
export type FeatureSource =
  | { readonly name: string; readonly dictionary: Dictionary }
  | { readonly name: string; readonly neurons: NeuronBaseline };

/** How features are scored. */
export interface InterpretabilityOptions extends RunControls {
  /** Positions at the start of every sequence that are left out, as in training. Default 0. */
  readonly skip?: number | undefined;
  /** Of permutations and intervals. Default 0. */
  readonly seed?: number | undefined;
  /** Tokens of the first half on which a feature must fire to count as live. Default 10. */
  readonly leastFirings?: number | undefined;
  /** Tokens of the first half that a label must be on. Default 10. */
  readonly leastPositives?: number | undefined;
  /** Pairs of sources whose means are compared. */
  readonly compare?: readonly (readonly [string, string])[] | undefined;
}

/** What a live feature stands for. */
export interface FeatureScore {
  readonly feature: number;
  /** The label that the feature predicts best, chosen on the first half; absent where it fires with no label often enough. */
  readonly label?: string;
  /** It says yes where a ≥ θ. */
  readonly threshold?: number;
  /** On the second half. */
  readonly f1: number;
  /** The same with labels permuted among the tokens of each half. */
  readonly nullF1: number;
}

/** Of one source. */
export interface SourceScores {
  readonly name: string;
  readonly layer: number;
  /** Mean over tokens of how many fire. */
  readonly l0: number;
  /** Features in all; those that are live are in `scores`. */
  readonly features: number;
  readonly scores: readonly FeatureScore[];
  /** Mean F1 of live features, that with permuted labels, and the mean of their differences, with 95 % intervals over features. */
  readonly f1: Interval;
  readonly nullF1: Interval;
  readonly aboveNull: Interval;
}

/** All of it. */
export interface InterpretabilityScores {
  /** Tokens of both halves, distinct labels, and how many of them are on enough tokens. */
  readonly tokens: number;
  readonly labels: number;
  readonly usableLabels: number;
  readonly sources: readonly SourceScores[];
  /** Mean F1 of the first minus that of the second. */
  readonly comparisons: readonly { readonly of: readonly [string, string]; readonly difference: Interval }[];
}

/**
 * Best F1 of every live feature over all labels. Sequences 0, 2, 4, … are the first half, on which label and threshold are chosen; the
 * others score them. The null permutes what tokens are labelled with, a token's labels together, within each half.
 * @throws LimnError `data/dictionary-labels` for labels that are not one list a token, and for fewer than two sequences;
 * `usage/dictionary-names` for comparisons of sources that there are not, `data/dictionary-model`, `usage/dictionary-neurons`,
 * `usage/batch-size`, `usage/memory`, `tokens/…`, `memory/over-budget`; AbortedError
 */
export async function interpretabilityScores(
  model: HookedModel,
  sequences: readonly LabelledSequence[],
  sources: readonly FeatureSource[],
  options: InterpretabilityOptions = {},
): Promise<InterpretabilityScores> {
  const { skip = 0, seed = 0, leastFirings = 10, leastPositives = 10, compare = [] } = options;
  checkRequest(model, sequences, sources, compare);
  const starts = [0];
  for (const { tokens } of sequences) starts.push((starts.at(-1) as number) + Math.max(0, tokens.length - skip));
  const tokens = starts.at(-1) as number;
  const records = await gatherFirings(model, sequences, starts, sources, { ...options, skip });

  const labels = numberLabels(sequences.flatMap((each) => each.labels.slice(skip)));
  const isFirst = new Uint8Array(tokens);
  sequences.forEach((_, s) => isFirst.fill(s % 2 === 0 ? 1 : 0, starts[s], starts[s + 1]));
  const inHalf = [(n: number) => isFirst[n] === 1, (n: number) => isFirst[n] === 0] as const;
  const halvesOf = (view: LabelView): readonly [LabelledHalf, LabelledHalf] => {
    const half = (has: (n: number) => boolean): LabelledHalf => ({ has, positives: positivesOf(view, tokens, has) });
    return [half(inHalf[0]), half(inHalf[1])];
  };
  const asTheyAre: LabelView = { labels, of: (n) => n };
  const others = permutedWithin(isFirst, seed);
  const permuted: LabelView = { labels, of: (n) => others[n] as number };
  const [trueHalves, permutedHalves] = [halvesOf(asTheyAre), halvesOf(permuted)];

  const scored = sources.map((source, i): SourceScores => {
    const { features, count } = records[i] as FiringRecords;
    const scores = (records[i] as FiringRecords).byFeature().flatMap((entries, feature): FeatureScore[] => {
      if (firingsIn(entries, inHalf[0]) < leastFirings) return [];
      const found = bestPredicate(entries, asTheyAre, ...trueHalves, leastPositives);
      const chance = bestPredicate(entries, permuted, ...permutedHalves, leastPositives);
      return [
        {
          feature,
          ...(found ? { label: labels.names[found.label] as string, threshold: found.threshold } : {}),
          f1: found?.f1 ?? 0,
          nullF1: chance?.f1 ?? 0,
        },
      ];
    });
    const intervals = (of: (score: FeatureScore) => number): Interval => bootstrapMean(scores.map(of), undefined, seed);
    return {
      name: source.name,
      layer: layerOf(source),
      l0: count / tokens,
      features,
      scores,
      f1: intervals(({ f1 }) => f1),
      nullF1: intervals(({ nullF1 }) => nullF1),
      aboveNull: intervals(({ f1, nullF1 }) => f1 - nullF1),
    };
  });
  const f1sOf = (name: string): number[] =>
    (scored.find((each) => each.name === name) as SourceScores).scores.map(({ f1 }) => f1);
  return {
    tokens,
    labels: labels.names.length,
    usableLabels: trueHalves[0].positives.filter((count) => count >= leastPositives).length,
    sources: scored,
    comparisons: compare.map((of) => ({ of, difference: bootstrapMean(f1sOf(of[0]), f1sOf(of[1]), seed) })),
  };
}

/** Runs the model over the sequences once and gathers what fires in every source. */
async function gatherFirings(
  model: HookedModel,
  sequences: readonly LabelledSequence[],
  starts: readonly number[],
  sources: readonly FeatureSource[],
  options: InterpretabilityOptions & { readonly skip: number },
): Promise<FiringRecords[]> {
  const { skip } = options;
  const controls = { ...options, ...settleControls(options) };
  const usable = [...sequences.keys()].filter((s) => (sequences[s] as LabelledSequence).tokens.length > skip);
  const siteOf = (source: FeatureSource): HookName =>
    'dictionary' in source ? source.dictionary.reads : blockHook(source.neurons.layer, 'mlp.hook_post');
  const sites = [...new Set(sources.map(siteOf))];
  const atMean = sources.flatMap((source) =>
    'neurons' in source && source.neurons.rest === 'mean' ? [siteOf(source)] : [],
  );
  const means =
    atMean.length === 0
      ? new Map<HookName, Float32Array>()
      : await meanRows(
          model,
          usable.map((s) => (sequences[s] as LabelledSequence).tokens),
          [...new Set(atMean)],
          {
            ...controls,
            onProgress: undefined,
          },
        );
  const neurons = new Map<FeatureSource, TopNeurons>();
  try {
    for (const source of sources)
      if ('neurons' in source)
        neurons.set(source, await TopNeurons.create(model, source.neurons, means.get(siteOf(source))));
    const records = sources.map(
      (source) => new FiringRecords('dictionary' in source ? source.dictionary.config.features : model.info.mlpWidth),
    );
    await inBatches(
      model.gpu,
      usable,
      {
        what: 'Gathering firings',
        unit: 'sequence',
        label: 'firings',
        lengthOf: (s) => (sequences[s] as LabelledSequence).tokens.length,
        record: (step, batch) => {
          const tokens = tokenBatch(
            batch.map((s) => (sequences[s] as LabelledSequence).tokens),
            model.info,
          );
          const stopAtLayer = Math.max(...sources.map(layerOf)) + 1;
          const run = model.run(step, { tokens }, { capture: sites, logits: 'none', stopAtLayer });
          const kept = keptRows(tokens.lengths, tokens.T, skip);
          const ids = fromData(step, kept, [kept.length], { label: 'kept rows' });
          const takers = sources.map((source) => {
            const rows = gatherRows(step, flat(run.at(siteOf(source))), ids);
            if ('dictionary' in source) return recordFirings(step, source.dictionary, rows);
            const scores = (neurons.get(source) as TopNeurons).scores(step, rows);
            return async (into: FiringRecords, numbers: readonly number[]) =>
              into.add(await readFloats(step, scores), numbers);
          });
          const numbers = batch.flatMap((s) =>
            Array.from(
              { length: (starts[s + 1] as number) - (starts[s] as number) },
              (_, t) => (starts[s] as number) + t,
            ),
          );
          return { takers, numbers };
        },
        take: async (_, { takers, numbers }) => {
          await Promise.all(takers.map((take, i) => take(records[i] as FiringRecords, numbers)));
        },
      },
      controls,
    );
    return records;
  } finally {
    for (const each of neurons.values()) each.dispose();
  }
}

const layerOf = (source: FeatureSource): number =>
  'dictionary' in source ? source.dictionary.config.layer : source.neurons.layer;

const firingsIn = ({ tokens }: FeatureEntries, has: (token: number) => boolean): number => tokens.filter(has).length;

/** For every token another one of its half, by a seeded permutation of each half. */
function permutedWithin(isFirst: Uint8Array, seed: number): Uint32Array {
  const others = new Uint32Array(isFirst.length);
  for (const half of [0, 1]) {
    const members = [...isFirst.keys()].filter((n) => isFirst[n] === half);
    permutation(members.length, { seed, stream: half }).forEach((to, i) => {
      others[members[i] as number] = members[to] as number;
    });
  }
  return others;
}

function checkRequest(
  model: HookedModel,
  sequences: readonly LabelledSequence[],
  sources: readonly FeatureSource[],
  compare: readonly (readonly [string, string])[],
): void {
  const odd = sequences.findIndex(({ tokens, labels }) => tokens.length !== labels.length);
  if (odd >= 0 || sequences.length < 2)
    throw new LimnError(
      'data/dictionary-labels',
      odd >= 0
        ? `Sequence ${odd} has ${sequences[odd]?.tokens.length} tokens and ${sequences[odd]?.labels.length} lists of labels.`
        : 'Features are scored on two halves of the sequences; fewer than two were given.',
      { details: { sequence: odd, sequences: sequences.length }, hint: 'Give one list of labels a token.' },
    );
  for (const source of sources) if ('dictionary' in source) checkFits(source.dictionary.config, model.info);
  const names = sources.map(({ name }) => name);
  const unknown = compare.flat().find((name) => !names.includes(name));
  const twice = names.find((name, i) => names.indexOf(name) < i);
  if (unknown === undefined && twice === undefined && names.length > 0) return;
  throw new LimnError(
    'usage/dictionary-names',
    unknown !== undefined
      ? `There is no source ${unknown} to compare.`
      : twice !== undefined
        ? `Two sources are called ${twice}.`
        : 'There is nothing to score.',
    { details: { names, compare }, hint: 'Give every source a name of its own.' },
  );
}

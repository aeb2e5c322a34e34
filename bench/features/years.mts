// Greater-than by year: what the circuit's features are after every start, which years they raise, and what the weights alone say that they read.
import { pearson, tokenBatch } from '@limn/hooks';
import { idOf, NUMBERS } from '@limn/tasks';
import { readFloats, reshape, slice } from '@limn/tensor';
import {
  connectionStrengths,
  deEmbedding,
  encoderDirection,
  featureLogits,
  headDirections,
  strongest,
  type Connection,
  type Dictionary,
} from '@limn/transcoders';
import { positionOf, withStart, type Case } from './cases.mjs';
import type { PairRuns } from './pair-runs.mjs';
import type { FeatureAt, FoundFeature, HeadFinding, YearCurves } from './study.mjs';
import { inTurn } from './trials.mjs';

/** Features drawn. */
const SHOWN = 8;
/** Features of layer 0 through which a later one is traced to the years, of each head. */
const TRACED = 10;
const IDS = NUMBERS.map(idOf);

/** `heads` are the circuit's: they bring the start to the last token. A feature is looked at where its effect is. */
export async function yearCurves(
  runs: PairRuns,
  { find }: Case,
  features: readonly FoundFeature[],
  heads: readonly HeadFinding[],
): Promise<YearCurves> {
  const { model, dictionaries } = runs;
  const [pair] = find as [Case['find'][number]];
  const starts = Array.from({ length: 97 }, (_, i) => i + 2);
  using step = model.gpu.step({ label: 'features: every start year' });
  const prompts = starts.map((start) => withStart(pair, start));
  const run = model.run(
    step,
    { tokens: tokenBatch(prompts, model.info) },
    { capture: dictionaries.map(({ reads }) => reads), logits: 'none' },
  );
  const T = pair.clean.length;
  const activations = await Promise.all(
    dictionaries.map((dictionary) => {
      const { inputWidth } = dictionary.config;
      const x = reshape(run.at(dictionary.reads), [starts.length * T, inputWidth]);
      return readFloats(step, dictionary.encode(step, x));
    }),
  );
  const found = await inTurn(shownOf(features), async ({ layer, feature, roles }) => {
    const dictionary = dictionaries[layer] as Dictionary;
    const F = dictionary.config.features;
    const role = roles[0]?.role ?? 'last';
    const at = positionOf(pair, role);
    const activation = starts.map((_, b) => activations[layer]?.[(b * T + at) * F + feature] as number);
    const [written] = await featureLogits(model, dictionary, [feature], { all: true });
    const reads =
      role === 'start' ? await readHere(runs, { layer, feature }) : await readThrough(runs, { layer, feature }, heads);
    return {
      layer,
      feature,
      role,
      activation,
      writes: IDS.map((id) => written?.scores?.[id] as number),
      reads,
      correlation: pearson(
        starts.map((start) => reads[start] as number),
        activation,
      ),
    };
  });
  return { heads: heads.map(({ layer, head }) => ({ layer, head })), starts, features: found };
}

/** Of each role the features of the largest effects. */
function shownOf(features: readonly FoundFeature[]): FoundFeature[] {
  const of = (role: string): FoundFeature[] => features.filter(({ roles }) => roles[0]?.role === role);
  return [...of('last').slice(0, SHOWN / 2), ...of('start').slice(0, SHOWN / 2)];
}

/** What a feature reads of the years' embeddings at its own token. */
async function readHere({ model, dictionaries }: PairRuns, { layer, feature }: FeatureAt): Promise<number[]> {
  const [found] = await deEmbedding(model, dictionaries[layer] as Dictionary, [feature], { all: true });
  return IDS.map((id) => found?.scores?.[id] as number);
}

/**
 * What a feature hears of the years at the token that heads look at, as in the paper: by way of each head, the features of layer 0 that it
 * reads most there, their de-embeddings weighed by that and by the head's mean attention. No prompt but for the attention.
 */
async function readThrough(
  { model, dictionaries }: PairRuns,
  { layer, feature }: FeatureAt,
  heads: readonly HeadFinding[],
): Promise<number[]> {
  const first = dictionaries[0] as Dictionary;
  const sums = IDS.map(() => 0);
  for (const { layer: of, head, attention } of heads) {
    if (of === 0 || of > layer) continue;
    const readers = await connected(of, head);
    const found = await deEmbedding(
      model,
      first,
      readers.map(({ index }) => index),
      { all: true },
    );
    for (const [i, { scores }] of found.entries())
      for (const [y, id] of IDS.entries())
        sums[y] = (sums[y] as number) + attention * (readers[i]?.strength as number) * (scores?.[id] as number);
  }
  return sums;

  async function connected(of: number, head: number): Promise<readonly Connection[]> {
    using step = model.gpu.step({ label: 'features: connections' });
    const f = encoderDirection(step, model, dictionaries[layer] as Dictionary, feature);
    const all = headDirections(step, model, of, f);
    const v = reshape(slice(step, all, 0, head, 1), [model.info.width]);
    const { most } = await strongest(step, connectionStrengths(step, first, v), TRACED);
    return most;
  }
}

// Pairs that a run goes on without, where it was asked to: rows that cannot be read, and pairs that the model or the metric cannot take.
import { previewPairs, scoreEdges, type Metric, type Pair, type RefusedRow, type Scores } from '@limn/attribution';
import type { ScoreEdgesOptions } from '@limn/attribution';
import { LimnError } from '@limn/gpu';
import type { HookedModel } from '@limn/hooks';
import type { PairSets } from './pairs-source.js';

/** Whether the pair would have been searched with, measured on, or both. */
export type LeftOutOf = 'search' | 'measurement' | 'both';

/** A pair that was left out, and why. */
export interface LeftOutPair {
  readonly of: LeftOutOf;
  /** File and line; of a task the number of the pair. */
  readonly where: string;
  readonly code: string;
  /** In one line. */
  readonly reason: string;
}

/** Most characters of a reason; prompts that differ are shown by `limn pairs`. */
const REASON = 200;

/** The first line of a message that begins with its place. */
function reasonOf(message: string, where: string): string {
  const [line = ''] = message.split('\n');
  const bare = line.startsWith(where) ? line.slice(where.length).replace(/^[:\d]* /, '') : line;
  const short = bare.length > REASON ? `${bare.slice(0, REASON)}…` : bare;
  return short.replace(/[.:]$/, '');
}

/** A refused row of a file, or an error about a pair at `where`. */
export function leftOut(of: LeftOutOf, { where, code, message }: RefusedRow): LeftOutPair {
  return { of, where, code, reason: reasonOf(message, where) };
}

/** The place of a pair for people: file and line, or its number. */
export function placeOf(places: readonly string[] | undefined, index: number): string {
  return places?.[index] ?? `pair ${index + 1}`;
}

/** What {@link usableSets} needs of a request. */
export interface UsableRequest {
  readonly model: HookedModel;
  readonly sets: PairSets;
  readonly metric: Metric;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The sets without the pairs that the metric has no answers for, or whose metric is no number on the clean or the corrupted prompt;
 * those are added to `leftOut`. Costs two forward passes a pair.
 * @throws LimnError `data/pairs-quarantined` where no pair is left; as `previewPairs`; AbortedError
 */
export async function usableSets({ model, sets, metric, signal }: UsableRequest): Promise<PairSets> {
  const same = sets.evaluation === sets.discovery;
  const search = await usable(model, metric, sets.discovery, sets.places?.discovery, same ? 'both' : 'search', signal);
  const measure = same
    ? { ...search, bad: [] }
    : await usable(model, metric, sets.evaluation, sets.places?.evaluation, 'measurement', signal);
  return {
    ...sets,
    discovery: search.pairs,
    evaluation: measure.pairs,
    places: { discovery: search.places, evaluation: measure.places },
    leftOut: [...(sets.leftOut ?? []), ...search.bad, ...measure.bad],
  };
}

async function usable(
  model: HookedModel,
  metric: Metric,
  pairs: readonly Pair[],
  places: readonly string[] | undefined,
  of: LeftOutOf,
  signal: AbortSignal | undefined,
) {
  const bad = new Map<number, LeftOutPair>();
  const refuse = (i: number, code: string, message: string): void =>
    void bad.set(i, leftOut(of, { where: placeOf(places, i), code, message }));
  for (const [i, pair] of pairs.entries()) {
    try {
      metric.check(pair, placeOf(places, i));
    } catch (error) {
      if (!(error instanceof LimnError && error.code.startsWith('data/'))) throw error;
      refuse(i, error.code, error.message);
    }
  }
  const measurable = [...pairs.keys()].filter((i) => !bad.has(i));
  if (measurable.length > 0) {
    const { values } = await previewPairs(
      model,
      measurable.map((i) => pairs[i] as Pair),
      { metrics: [metric], signal },
    );
    for (const [at, i] of measurable.entries())
      for (const side of ['clean', 'corrupted'] as const) {
        const value = values[side].perExample[metric.name]?.[at] ?? Number.NaN;
        if (!Number.isFinite(value) && !bad.has(i))
          refuse(i, 'data/metric-not-finite', `gives ${metric.name} = ${value} on the ${side} prompt`);
      }
  }
  const left = [...pairs.keys()].filter((i) => !bad.has(i));
  if (left.length === 0) throw noneLeft([...bad.values()]);
  return {
    pairs: left.map((i) => pairs[i] as Pair),
    places: left.map((i) => placeOf(places, i)),
    bad: [...bad.values()],
  };
}

/** `data/pairs-quarantined` */
function noneLeft(bad: readonly LeftOutPair[]): LimnError {
  const [first] = bad;
  return new LimnError(
    'data/pairs-quarantined',
    `Not one of ${bad.length} pairs can be used; the first, ${first?.where ?? ''}: ${first?.reason ?? ''} (${first?.code ?? ''})`,
    { details: { pairs: bad.slice(0, 1000) }, hint: '`limn pairs` shows what the model makes of each pair' },
  );
}

/**
 * Scores of the pairs whose scores are numbers, and the places in `pairs` of the others: each costs one more run.
 * @throws LimnError `data/pairs-quarantined` where no pair is left; as `scoreEdges`; AbortedError
 */
export async function scoreUsable(
  model: HookedModel,
  pairs: readonly Pair[],
  places: readonly string[] | undefined,
  options: ScoreEdgesOptions,
): Promise<{ readonly scores: Scores; readonly bad: readonly LeftOutPair[] }> {
  const left = [...pairs.keys()];
  const bad: LeftOutPair[] = [];
  while (left.length > 0) {
    try {
      const scores = await scoreEdges(
        model,
        left.map((i) => pairs[i] as Pair),
        options,
      );
      return { scores, bad };
    } catch (error) {
      const at =
        error instanceof LimnError && error.code === 'data/score-not-finite' ? error.details['pair'] : undefined;
      if (typeof at !== 'number' || left[at] === undefined) throw error;
      const [pair = 0] = left.splice(at, 1);
      const { code, message } = error as LimnError;
      bad.push(
        leftOut('search', {
          where: placeOf(places, pair),
          code,
          message: message.replace(/^Pair \d+ gives /, 'gives '),
        }),
      );
    }
  }
  throw noneLeft(bad);
}

/** '3 pairs were left out:' and a line for each; nothing where none was. */
export function leftOutLines(pairs: readonly LeftOutPair[]): readonly string[] {
  const whose = {
    search: 'of the search',
    measurement: 'of the measurement',
    both: 'of search and measurement',
  } as const;
  return pairs.map(({ of, where, code, reason }) => `  left out ${whose[of]}: ${where}: ${reason} (${code})`);
}

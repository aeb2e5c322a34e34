// Δ under many sets of values: each set is a candidate of its own, and rows of one batch take different ones.
import { inBatches, settleControls, tokenBatch, type HookedModel, type RunControls } from '@limn/hooks';
import { readFloats } from '@limn/tensor';
import { checkExamples, type SteeringExample } from '../examples.js';
import { liesSideBySide, parameterForms } from '../method.js';
import { steeredPlaces } from '../sites.js';
import { Steering, type SteeringSpec, type SteeringValues } from '../steering.js';
import { answerDifference } from './answer-difference.js';

/** Most sets whose tables are on the device at once. */
const MOST = 64;

/** Δ of every set, strength and example. */
export interface CandidateDifferences {
  /** Candidates × strengths × examples. */
  readonly shape: readonly [candidates: number, strengths: number, examples: number];
  readonly data: Float64Array;
}

/** How many sets may lie side by side: those of methods by position alone, within a quarter of the budget. */
export function setsAtOnce(model: Pick<HookedModel, 'info'>, spec: SteeringSpec, memoryBytes: number): number {
  if (!liesSideBySide(spec.method)) return 1;
  const numbers = steeredPlaces(model.info, spec)
    .flatMap((place) => parameterForms(spec.method, place, spec.positions.names.length))
    .reduce((sum, { shape }) => sum + shape[0] * shape[1], 0);
  return Math.max(1, Math.min(MOST, Math.floor(memoryBytes / 4 / (4 * numbers))));
}

/**
 * Runs every example under every set of values at every strength. The sets, all of one spec, are made when their turn comes.
 * @throws LimnError `data/steering-empty`, `data/steering-prompt`, `data/steering-answer`, `data/steering-roles`, `data/steering-length`,
 * `data/steering-fingerprint`, `data/steering-values`, `memory/over-budget`, `usage/batch-size`, `usage/memory`; AbortedError
 */
export async function measureCandidates(
  model: HookedModel,
  candidates: readonly (() => SteeringValues)[],
  examples: readonly SteeringExample[],
  strengths: readonly number[],
  controls: RunControls = {},
): Promise<CandidateDifferences> {
  checkExamples(examples, model.info);
  const settled = settleControls(controls);
  const shape = [candidates.length, strengths.length, examples.length] as const;
  const perSet = strengths.length * examples.length;
  const data = new Float64Array(candidates.length * perSet);
  let first = 0;
  while (first < candidates.length) {
    const head = (candidates[first] as () => SteeringValues)();
    const count = Math.min(setsAtOnce(model, head.spec, settled.memoryBytes), candidates.length - first);
    const sets = [head, ...candidates.slice(first + 1, first + count).map((make) => make())];
    const steering = new Steering(model, head.spec, { values: sets });
    const done = first * perSet;
    const items = sets.flatMap((_, candidate) =>
      strengths.flatMap((strength) => examples.map((example) => ({ candidate, strength, example }))),
    );
    try {
      await inBatches(
        model.gpu,
        items,
        {
          what: 'Measuring sets of values',
          unit: 'row',
          label: 'sets of values',
          lengthOf: ({ example }) => example.prompt.length,
          record: (step, batch) => {
            const tokens = tokenBatch(
              batch.map(({ example }) => example.prompt),
              model.info,
            );
            const interventions = steering.interventions({
              strength: batch.map(({ strength }) => strength),
              roles: batch.map(({ example }) => example.roles),
              candidates: batch.map(({ candidate }) => candidate),
            });
            const { logits } = model.run(step, { tokens }, { interventions, logits: 'last' });
            return answerDifference(
              step,
              logits,
              batch.map(({ example }) => example),
            );
          },
          take: async (step, recorded, places) => {
            const values = await readFloats(step, recorded);
            places.forEach((place, i) => (data[done + place] = values[i] as number));
          },
        },
        {
          ...settled,
          signal: controls.signal,
          onProgress: (progress) =>
            controls.onProgress?.({ unit: 'rows', done: done + progress.done, total: data.length }),
        },
      );
    } finally {
      steering.dispose();
    }
    first += count;
  }
  return { shape, data };
}

/** The differences of one set at one strength, by example. */
export function differencesAt(
  { shape: [, S, N], data }: CandidateDifferences,
  candidate: number,
  strength = 0,
): Float64Array {
  const from = (candidate * S + strength) * N;
  return data.subarray(from, from + N);
}
